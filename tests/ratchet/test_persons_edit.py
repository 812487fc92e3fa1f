"""What a person saves, at whatever moment, ends up in the file or is kept under its hash with an event naming it."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

import pytest

from karpathy_self_improve.errors import FileDrifted
from karpathy_self_improve.ratchet import operation
from karpathy_self_improve.ratchet.blobs import digest
from karpathy_self_improve.ratchet.files import disk
from karpathy_self_improve.ratchet.files.guarded_file import GuardedFile, open_guarded

OLD = b"# Soul\r\n\r\nBe brief. Be kind.\r\nA byte that is no UTF-8: \xff"
NEW = OLD.replace(b"Be kind.", b"Be very kind.")
THEIRS = b"Edited by a person.\n"
LATER = b"Edited by a person once more.\n"


def in_place(path, content=THEIRS):
    """As editors do that keep the inode."""
    with path.open("r+b") as file:
        file.truncate()
        file.write(content)


def by_rename(path, content=THEIRS):
    """As editors do that write a new file and rename it."""
    beside = path.with_name(f"{path.name}.tmp")
    beside.write_bytes(content)
    os.replace(beside, path)


SAVES = [in_place, by_rename]
KINDS = ["apply", "revert"]


@pytest.fixture(params=[True, False], ids=["exchange", "no-exchange"])
def exchange(request, monkeypatch):
    """With the kernel's atomic exchange, and as on file systems that have none."""
    if not request.param:
        monkeypatch.setattr(disk, "_rename_call", lambda: None)


def before_call(monkeypatch, module, name, act, nth=1):
    """Do ``act`` right before the ``nth`` call of a function, once."""
    real, calls = getattr(module, name), []

    def call(*arguments, **named):
        calls.append(name)
        if len(calls) == nth:
            act()
        return real(*arguments, **named)

    monkeypatch.setattr(module, name, call)


def kept(stage):
    """The contents that conflict events name."""
    named = [event.payload.get("kept_sha256") for event in stage.events("file.conflict")]
    return [stage.blob(name) for name in named if name]


def check_stopped(stage, number, kind, content):
    assert stage.content() == content
    assert stage.experiment(number).state == ("approved" if kind == "apply" else "live")
    assert len(stage.our_commits()) == (0 if kind == "apply" else 1)
    assert stage.open_operations() == []
    assert stage.leftovers() == []


@pytest.mark.parametrize("save", SAVES)
def test_an_edit_before_apply_is_kept_and_apply_refuses(either, save):
    number = either.approved()
    save(either.file())
    with pytest.raises(FileDrifted, match="edited since"):
        either.apply(number)
    check_stopped(either, number, "apply", THEIRS)


@pytest.mark.parametrize("save", SAVES)
def test_an_edit_before_revert_is_kept_marked_and_announced_once(prepared, save):
    stage, number = prepared(True, "revert")
    save(stage.file())
    for _ in range(2):
        with pytest.raises(FileDrifted, match="edited since"):
            stage.revert(number)
    check_stopped(stage, number, "revert", THEIRS)
    assert stage.experiment(number).manual_conflict_detected == 1
    assert [event.payload["relpath"] for event in stage.events("file.conflict")] == ["SOUL.md"]
    in_place(stage.file(), NEW)
    assert stage.revert(number) == "reverted"


@pytest.mark.parametrize("content", [THEIRS, None], ids=["edited", "removed"])
def test_an_edited_file_is_not_even_touched(tmp_path, monkeypatch, content):
    if content is not None:
        (tmp_path / "x.md").write_bytes(content)
    for name in ("create", "exchange", "rename_new"):
        monkeypatch.setattr(disk, name, None)
    with open_guarded(tmp_path, PurePosixPath("x.md"), 1000) as file, pytest.raises(FileDrifted):
        file.replace(digest(OLD), NEW, None, "0")


def test_a_removed_file_is_an_edit_too(prepared):
    for kind in KINDS:
        stage, number = prepared(False, kind)
        stage.file().unlink()
        with pytest.raises(FileDrifted):
            stage.run(kind, number)
        check_stopped(stage, number, kind, None)


def test_a_file_that_appeared_where_apply_makes_one_is_kept(plain):
    number = plain.approved(b"Ours.\n", "skills/x/SKILL.md")
    plain.file("skills/x").mkdir(parents=True)
    plain.file("skills/x/SKILL.md").write_bytes(THEIRS)
    with pytest.raises(FileDrifted):
        plain.apply(number)
    assert plain.content("skills/x/SKILL.md") == THEIRS


@pytest.mark.parametrize("save", SAVES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_save_between_check_and_exchange_is_put_back(prepared, monkeypatch, exchange, kind, save):
    stage, number = prepared(False, kind)
    before_call(monkeypatch, disk, "exchange", lambda: save(stage.file()))
    with pytest.raises(FileDrifted):
        stage.run(kind, number)
    check_stopped(stage, number, kind, THEIRS)
    assert bool(stage.experiment(number).manual_conflict_detected) == (kind == "revert")


@pytest.mark.parametrize("kind", KINDS)
def test_a_removal_between_check_and_exchange_is_respected(prepared, monkeypatch, exchange, kind):
    stage, number = prepared(False, kind)
    before_call(monkeypatch, disk, "exchange", stage.file().unlink)
    with pytest.raises(FileDrifted):
        stage.run(kind, number)
    check_stopped(stage, number, kind, None)


def test_a_save_by_rename_between_the_rename_and_its_check_stays(prepared, monkeypatch, exchange):
    """The replaced file was edited too: its bytes have no place left, so they are kept under their hash."""
    stage, number = prepared(False, "apply")
    in_place_first = lambda: in_place(stage.file())  # noqa: E731
    before_call(monkeypatch, disk, "exchange", in_place_first)
    before_call(monkeypatch, GuardedFile, "put_back", lambda: by_rename(stage.file(), LATER))
    with pytest.raises(FileDrifted):
        stage.apply(number)
    check_stopped(stage, number, "apply", LATER)
    assert kept(stage) == [THEIRS]
    assert stage.experiment(number).manual_conflict_detected == 1


def test_a_save_in_the_very_moment_of_taking_back_is_put_back(prepared, monkeypatch):
    stage, number = prepared(False, "apply")
    before_call(monkeypatch, disk, "exchange", lambda: in_place(stage.file()))
    before_call(monkeypatch, disk, "exchange", lambda: by_rename(stage.file(), LATER), nth=2)
    with pytest.raises(FileDrifted):
        stage.apply(number)
    assert stage.content() == LATER
    assert kept(stage) == [THEIRS]
    check_stopped(stage, number, "apply", LATER)


@pytest.mark.parametrize("save", SAVES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_save_after_the_exchange_stays_in_the_file_and_is_marked(prepared, monkeypatch, exchange, kind, save):
    stage, number = prepared(True, kind)
    before_call(monkeypatch, operation, "_publish", lambda: save(stage.file()))
    assert stage.run(kind, number) == ("live" if kind == "apply" else "reverted")
    assert stage.content() == THEIRS
    assert stage.committed() == (NEW if kind == "apply" else OLD)
    assert stage.experiment(number).manual_conflict_detected == 1
    assert len(stage.events("file.conflict")) == 1
    assert stage.leftovers() == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_save_into_the_replaced_inode_is_kept(prepared, monkeypatch, exchange, kind):
    """An editor that opened the file before the exchange and writes after it."""
    stage, number = prepared(False, kind)
    with stage.file().open("r+b") as editor:

        def save():
            editor.truncate()
            editor.write(THEIRS)
            editor.flush()

        before_call(monkeypatch, operation, "_publish", save)
        stage.run(kind, number)
    assert stage.content() == (NEW if kind == "apply" else OLD)
    assert kept(stage) == [THEIRS]
    assert stage.experiment(number).manual_conflict_detected == 1
    assert stage.leftovers() == []


def test_a_huge_save_into_the_replaced_inode_stays_on_the_disk(prepared, monkeypatch):
    stage, number = prepared(False, "apply")
    huge = b"x" * 300_000
    with stage.file().open("r+b") as editor:
        before_call(monkeypatch, operation, "_publish", lambda: (editor.write(huge), editor.flush()))
        assert stage.apply(number) == "live"
    (event,) = stage.events("file.conflict")
    assert stage.file(event.payload["left_at"]).read_bytes() == huge


def test_a_save_by_rename_while_a_new_file_is_taken_away_is_put_back(prepared, monkeypatch, exchange):
    relpath = "skills/x/SKILL.md"
    stage, number = prepared(False, "revert", relpath, None, b"Ours.\n")
    before_call(monkeypatch, disk, "rename_new", lambda: by_rename(stage.file(relpath)))
    with pytest.raises(FileDrifted):
        stage.revert(number)
    assert stage.content(relpath) == THEIRS
    assert stage.leftovers() == []
    assert stage.experiment(number).manual_conflict_detected == 1


def test_a_file_made_again_after_it_was_taken_away_stays(prepared, monkeypatch, exchange):
    relpath = "skills/x/SKILL.md"
    stage, number = prepared(False, "revert", relpath, None, b"Ours.\n")
    before_call(monkeypatch, operation, "_publish", lambda: stage.file(relpath).write_bytes(THEIRS))
    assert stage.revert(number) == "reverted"
    assert stage.content(relpath) == THEIRS
    assert stage.experiment(number).manual_conflict_detected == 1


def test_a_file_made_between_check_and_rename_is_left_alone(prepared, monkeypatch, exchange):
    relpath = "skills/x/SKILL.md"
    stage, number = prepared(False, "apply", relpath, None, b"Ours.\n")
    before_call(monkeypatch, disk, "rename_new", lambda: stage.file(relpath).write_bytes(THEIRS))
    with pytest.raises(FileDrifted):
        stage.apply(number)
    assert stage.content(relpath) == THEIRS
    assert stage.leftovers() == []


@pytest.mark.parametrize("save", SAVES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("point", ["temp-written", "swapped", "file-recorded", "commit-recorded", "temp-removed"])
def test_an_edit_between_kill_and_recovery_stays(prepared, processes, kind, save, point):
    stage, number = prepared(False, kind)
    assert processes({"do": kind, "id": number, "kill_at": point})[0]["exit"] == -9
    save(stage.file())
    stage.recover()
    assert stage.content() == THEIRS
    assert stage.open_operations() == []
    assert stage.leftovers() == []
    happened = point in ("commit-recorded", "temp-removed")
    assert (
        stage.experiment(number).state
        == {
            ("apply", True): "live",
            ("apply", False): "approved",
            ("revert", True): "reverted",
            ("revert", False): "live",
        }[kind, happened]
    )
    assert bool(stage.experiment(number).manual_conflict_detected) == happened


def test_a_person_who_writes_our_very_words_before_recovery_keeps_them(prepared, processes):
    stage, number = prepared(False, "apply")
    processes({"do": "apply", "id": number, "kill_at": "planned"})
    in_place(stage.file(), NEW)
    stage.recover()
    check_stopped(stage, number, "apply", NEW)


def test_a_person_who_removes_what_was_going_to_be_removed_is_not_in_the_way(prepared, processes):
    relpath = "skills/x/SKILL.md"
    stage, number = prepared(False, "revert", relpath, None, b"Ours.\n")
    processes({"do": "revert", "id": number, "kill_at": "planned"})
    stage.file(relpath).unlink()
    stage.recover()
    assert stage.content(relpath) is None
    assert stage.open_operations() == []


@pytest.mark.parametrize(("aside", "current"), [(NEW[:20], OLD), (OLD, THEIRS), (NEW, OLD)], ids=str)
def test_taking_back_swaps_nothing_where_the_name_does_not_hold_our_version(tmp_path, monkeypatch, aside, current):
    """A kill between two swaps would otherwise leave half a file, or an old one in the place of a person's."""
    (tmp_path / "x.md").write_bytes(current)
    (tmp_path / ".ratchet-0").write_bytes(aside)
    for name in ("exchange", "rename_new", "rename_over"):
        monkeypatch.setattr(disk, name, None)
    with open_guarded(tmp_path, PurePosixPath("x.md"), 1000) as file:
        file.put_back("0", digest(OLD), NEW)
        file.forget("0")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"x.md": current}


@pytest.mark.parametrize("point", ["swapped", "commit-recorded"])
def test_an_edit_of_the_replaced_inode_between_kill_and_recovery_is_kept(prepared, processes, point):
    stage, number = prepared(False, "apply")
    with stage.file().open("r+b") as editor:
        processes({"do": "apply", "id": number, "kill_at": point})
        editor.truncate()
        editor.write(THEIRS)
    stage.recover()
    if point == "swapped":  # undone: their inode is the file again
        assert stage.content() == THEIRS
    else:
        assert stage.content() == NEW
        assert kept(stage) == [THEIRS]
    assert stage.leftovers() == []


def test_kept_bytes_survive_a_kill_right_after_they_were_found(prepared, processes):
    stage, number = prepared(False, "apply")
    with stage.file().open("r+b") as editor:
        processes({"do": "apply", "id": number, "kill_at": "commit-recorded"})
        editor.truncate()
        editor.write(THEIRS)
    for point in ("stray-kept", "temp-removed"):
        assert processes({"do": "recover", "kill_at": point})[0]["exit"] == -9
        assert set(kept(stage)) == {THEIRS}
    stage.recover()
    assert stage.content() == NEW
    assert stage.leftovers() == []


@pytest.mark.parametrize("point", ["swapped", "commit-recorded"])
def test_a_link_put_in_the_files_place_between_kill_and_recovery_stays(prepared, processes, point, tmp_path):
    stage, number = prepared(False, "apply")
    processes({"do": "apply", "id": number, "kill_at": point})
    (tmp_path / "theirs.md").write_bytes(THEIRS)
    stage.file().unlink()
    stage.file().symlink_to(tmp_path / "theirs.md")
    stage.recover()
    assert stage.file().is_symlink()
    assert (tmp_path / "theirs.md").read_bytes() == THEIRS
    assert stage.open_operations() == []
    assert stage.experiment(number).state == ("approved" if point == "swapped" else "live")


def test_a_limit_lowered_between_kill_and_recovery_does_not_make_our_version_a_strangers(prepared, processes):
    stage, number = prepared(False, "apply")
    processes({"do": "apply", "id": number, "kill_at": "swapped"})
    stage.settings("changes: {max_file_bytes: 10}")
    stage.recover()
    stage.check_consistent(number, OLD, NEW)


def test_an_edit_that_makes_the_folder_go_away_is_respected(plain, processes):
    relpath = "skills/x/SKILL.md"
    number = plain.approved(b"Ours.\n", relpath)
    processes({"do": "apply", "id": number, "kill_at": "commit-recorded"})
    plain.file(relpath).unlink()
    for leftover in plain.file("skills/x").iterdir():
        leftover.unlink()
    plain.file("skills/x").rmdir()
    plain.recover()
    assert not plain.file("skills/x").exists()
    assert plain.experiment(number).manual_conflict_detected == 1
