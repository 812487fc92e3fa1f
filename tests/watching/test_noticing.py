"""No guarded file changes unseen: edits, new files, deletions, links, whatever their names and dates claim."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.watching import listing, sightings, waiting

SKILL = "skills/cooking/soup/SKILL.md"


def told(watch: Any) -> list[tuple[str, str]]:
    return [(change.relpath, change.what) for change in watch.look()]


def test_the_first_look_only_remembers(unseen: Any) -> None:
    assert unseen.look() == []
    assert unseen.look() == []
    assert [event.payload["files"] for event in unseen.events("watch.started")] == [3]


def test_an_edit_is_told_once_and_waits_for_a_person(watch: Any) -> None:
    watch.write("SOUL.md", "# Soul\n\nBe brief. Be cruel.\n")
    (change,) = watch.look()
    assert (change.relpath, change.what, change.author) == ("SOUL.md", "changed", "person or unknown")
    assert (change.added, change.removed) == (1, 1)
    assert watch.look() == []
    assert [one.event_id for one in watch.waiting()] == [change.event_id]


def test_a_new_skill_and_a_deleted_one_are_told(watch: Any) -> None:
    watch.write("skills/fresh/SKILL.md", "# Fresh\n")
    shutil.rmtree(watch.home / "skills/cooking")
    assert sorted(told(watch)) == [(SKILL, "deleted"), ("skills/fresh/SKILL.md", "created")]
    assert told(watch) == []


def test_memory_is_watched_although_no_experiment_may_change_it(watch: Any) -> None:
    watch.write("memories/USER.md", "likes tea")
    assert told(watch) == [("memories/USER.md", "created")]


def test_files_nobody_guards_are_let_alone(watch: Any) -> None:
    for relpath in ("notes.md", "skills/.archive/old/SKILL.md", "workspace/x.md", ".env", "memories/MEMORY.md.lock"):
        watch.write(relpath, "changed")
    assert told(watch) == []


@pytest.fixture
def settled(watch: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """As if all files had been left alone for longer than the grain of the clock."""
    monkeypatch.setattr(sightings, "_RACY_NS", 0)
    watch.look()
    return watch


def test_a_file_is_not_read_again_while_its_facts_stay(settled: Any) -> None:
    watch = settled
    with watch.context.store.write() as tx:
        tx.exec_driver_sql("UPDATE guarded_files SET sha256 = 'another' WHERE relpath = 'SOUL.md'")
    assert watch.look() == []
    os.utime(watch.home / "SOUL.md")
    assert told(watch) == [("SOUL.md", "changed")]


def test_an_edit_of_the_same_length_with_its_time_put_back_is_seen(settled: Any) -> None:
    watch, soul = settled, settled.home / "SOUL.md"
    before = soul.stat()
    soul.write_bytes(soul.read_bytes().replace(b"kind", b"mean"))
    os.utime(soul, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert soul.stat().st_size == before.st_size
    assert told(watch) == [("SOUL.md", "changed")]


def test_two_edits_within_the_clocks_own_grain_are_both_seen(watch: Any) -> None:
    """Right after an edit the file's times cannot show the next one: the file is read again until they can."""
    watch.write("SOUL.md", "first")
    watch.look()
    with watch.context.store.read() as tx:
        assert tx.exec_driver_sql("SELECT stat FROM guarded_files WHERE relpath = 'SOUL.md'").scalar_one() == ""


@pytest.mark.parametrize("moment", [-(10**9), 0, 2**34])
def test_impossible_dates_stop_nothing(watch: Any, moment: int) -> None:
    soul = watch.write("SOUL.md", "dated")
    os.utime(soul, (moment, moment))
    assert told(watch) == [("SOUL.md", "changed")]


def test_a_link_in_a_files_place_is_told_and_never_followed(watch: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    soul = watch.home / "SOUL.md"
    soul.unlink()
    soul.symlink_to(secret)
    (change,) = watch.look()
    assert (change.what, change.new_sha256) == ("replaced by a link", None)
    secret.write_text("another secret")
    assert watch.look() == []
    watch.later()
    soul.unlink()
    soul.symlink_to(tmp_path / "elsewhere")
    assert told(watch) == [("SOUL.md", "replaced by a link")]
    assert not kept(watch, b"the secret")


def test_a_second_name_for_a_secret_is_told_and_its_bytes_are_not_kept(watch: Any) -> None:
    (watch.home / ".env").write_text("the secret")
    os.link(watch.home / ".env", watch.home / "skills/leak.md")
    assert told(watch) == [("skills/leak.md", "replaced by a link")]
    assert not kept(watch, b"the secret")


def test_a_linked_folder_is_told_and_not_entered(watch: Any, tmp_path: Path) -> None:
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "SKILL.md").write_text("from elsewhere")
    (watch.home / "skills" / "linked").symlink_to(tmp_path / "away")
    assert told(watch) == [("skills/linked", "replaced by a link")]
    (watch.home / "skills" / "linked").unlink()
    watch.later()
    assert told(watch) == [("skills/linked", "deleted")]
    assert watch.waiting() == []


def test_a_whole_place_replaced_by_a_link_is_told(watch: Any, tmp_path: Path) -> None:
    (watch.home / "skills").rename(tmp_path / "moved")
    (watch.home / "skills").symlink_to(tmp_path / "moved")
    assert sorted(told(watch)) == [("skills", "replaced by a link"), (SKILL, "deleted")]
    watch.later()
    (watch.home / "skills").unlink()
    (tmp_path / "moved").rename(watch.home / "skills")
    assert sorted(told(watch)) == [("skills", "deleted"), (SKILL, "created")]
    assert watch.waiting() == []


def test_a_folder_a_pipe_and_an_oversize_file_in_a_files_place_are_told(watch: Any) -> None:
    for relpath in ("SOUL.md", SKILL, "memories/MEMORY.md"):
        (watch.home / relpath).unlink()
    (watch.home / "SOUL.md").mkdir()
    os.mkfifo(watch.home / SKILL)
    watch.write("memories/MEMORY.md", b"x" * 300_000)
    assert {what for _, what in told(watch)} == {"no plain file any more"}
    assert told(watch) == []


def test_a_socket_among_the_skills_hangs_nobody(watch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(watch.home / "skills")  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("trap.md")
        assert told(watch) == [("skills/trap.md", "no plain file any more")]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_an_unreadable_folder_is_told_and_its_files_are_not_called_deleted(watch: Any) -> None:
    folder = watch.home / "skills" / "cooking"
    folder.chmod(0)
    try:
        assert told(watch) == [("skills/cooking", "no plain file any more")]
    finally:
        folder.chmod(0o755)


@pytest.mark.parametrize(
    "name",
    [
        "line\nbreak.md",
        "\x1b[2Jclear.md",
        "right\u202eleft.md",
        "a:b.md",
        "back\\slash.md",
        "e\u0301.md",
        "x" * 240 + ".md",
    ],
)
def test_odd_names_hide_nothing(watch: Any, name: str) -> None:
    path = watch.write(f"skills/{name}", "one")
    (change,) = watch.look()
    assert change.what == "created"
    assert change.relpath.isprintable()
    path.unlink()
    watch.later()
    assert told(watch) == [(change.relpath, "deleted")]


def test_names_that_are_no_text_hide_nothing(watch: Any) -> None:
    place = os.fsencode(watch.home / "skills") + b"/\xff\xfe.md"
    with open(place, "wb") as file:
        file.write(b"one")
    (change,) = watch.look()
    assert change.relpath == "skills/\\udcff\\udcfe.md"
    assert watch.acknowledge(change.relpath).relpath == change.relpath


def test_two_odd_names_are_never_taken_for_one(watch: Any) -> None:
    watch.write("skills/a\nb.md", "one")
    watch.write("skills/a\\nb.md", "two")
    assert len({name for name, _ in told(watch)}) == 2


def test_no_word_of_a_file_enters_an_event(watch: Any) -> None:
    watch.write("SOUL.md", "# Soul\n\nthe launch code is swordfish\n")
    watch.look()
    with watch.context.store.read() as tx:
        said = tx.exec_driver_sql("SELECT group_concat(payload) FROM events").scalar_one()
    assert [word for word in ("swordfish", "launch", "brief", "Be kind") if word in said] == []


def test_the_diff_is_there_for_a_person(watch: Any) -> None:
    watch.write("SOUL.md", "# Soul\n\nBe brief. Be cruel.\n")
    (change,) = watch.look()
    shown = waiting.diff(watch.context, change)
    assert shown is not None
    assert "-Be brief. Be kind.\n+Be brief. Be cruel.\n" in shown


def test_what_cannot_be_compared_has_no_diff(watch: Any) -> None:
    soul = watch.home / "SOUL.md"
    soul.unlink()
    soul.symlink_to("notes.md")
    (change,) = watch.look()
    assert waiting.diff(watch.context, change) is None


def test_new_patterns_make_no_old_file_new(watch: Any) -> None:
    watch.settings('changes: {allowed_files: ["SOUL.md", "skills/**/*.md", "notes.md"]}')
    assert watch.look() == []
    assert [event.payload["new"] for event in watch.events("watch.scope")] == [
        '["SOUL.md", "skills/**/*.md", "notes.md"]'
    ]
    watch.write("notes.md", "now guarded")
    assert told(watch) == [("notes.md", "changed")]


def test_patterns_taken_away_and_put_back_hide_no_edit(watch: Any) -> None:
    watch.settings('changes: {allowed_files: ["skills/**/*.md"]}')
    watch.look()
    watch.write("SOUL.md", "edited while nobody looked")
    watch.look()
    watch.settings('changes: {allowed_files: ["SOUL.md", "skills/**/*.md"]}')
    assert told(watch) == [("SOUL.md", "changed")]


def test_a_pattern_for_everything_leaves_the_hosts_own_state_alone(watch: Any) -> None:
    watch.settings('changes: {allowed_files: ["**/*.md"]}')
    watch.look()
    for relpath in ("sessions/s.md", "profiles/other/SOUL.md", "plugins/p/README.md", "ratchet/x.md"):
        watch.write(relpath, "changed")
    watch.write("workspace/plan.md", "new")
    assert told(watch) == [("workspace/plan.md", "created")]


def test_a_flood_of_changes_is_told_in_portions_and_none_is_lost(watch: Any) -> None:
    for number in range(50):
        watch.write(f"skills/s{number}/SKILL.md", f"{number}")
    portions = [len(watch.look()) for _ in range(4)]
    assert portions == [20, 20, 10, 0]


def test_a_file_that_changes_all_the_time_is_told_of_once_a_minute(watch: Any) -> None:
    for number in range(5):
        watch.write("SOUL.md", f"version {number}")
        watch.look()
    assert len(watch.events("file.external_change")) == 1
    watch.later()
    (change,) = watch.look()
    assert waiting.diff(watch.context, change).endswith("+version 4\n\\ No newline at end of file\n")


def test_whoever_rewrites_files_all_day_does_not_fill_the_disk(watch: Any) -> None:
    with watch.context.store.write() as tx:
        tx.exec_driver_sql("UPDATE guarded_profiles SET kept_bytes = ?", ((64 << 20) - 10,))
    watch.write("SOUL.md", "a little more than ten bytes")
    (change,) = watch.look()
    assert not kept(watch, b"a little more than ten bytes")
    assert waiting.diff(watch.context, change) is None
    assert change.added is not None


def test_more_files_than_are_watched_are_admitted(watch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MAX_FILES", 3)
    watch.write("skills/z/SKILL.md", "one too many")
    watch.look()
    assert [event.payload["files"] for event in watch.events("watch.limited")] == [3]
    (watch.home / "skills/z/SKILL.md").unlink()
    watch.look()
    assert len(watch.events("watch.started")) == 2


def test_a_deep_tree_is_not_followed_for_ever(watch: Any) -> None:
    watch.write("skills/" + "d/" * 40 + "SKILL.md", "deep")
    watch.look()
    assert len(watch.events("watch.limited")) == 1


def test_an_enormous_edit_is_summed_up_quickly_and_says_that_it_is_a_bound(watch: Any) -> None:
    watch.write("SOUL.md", "a\n" * 60_000)
    watch.look()
    watch.later()
    watch.write("SOUL.md", "a\nb\n" * 30_000)
    watch.look()
    assert watch.events("file.external_change")[-1].payload["exact"] is False


def kept(watch: Any, content: bytes) -> bool:
    with watch.context.store.read() as tx:
        return bool(tx.exec_driver_sql("SELECT count(*) FROM blobs WHERE content = ?", (content,)).scalar_one())
