"""A change reaches only plain files on the allow-list below its profile, judged again at the moment of writing."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from karpathy_self_improve.errors import FileDrifted, PathRefused, RatchetError
from karpathy_self_improve.ratchet.files import disk
from karpathy_self_improve.ratchet.files.containment import checked_relpath
from karpathy_self_improve.ratchet.files.folders import remove_empty_folders
from karpathy_self_improve.settings import ChangeLimits

OLD = b"# Soul\r\n\r\nBe brief. Be kind.\r\nA byte that is no UTF-8: \xff"
NEW = OLD.replace(b"Be kind.", b"Be very kind.")
EVERYTHING = ChangeLimits(allowed_files=("**",))

NOT_A_PATH = [
    "",
    ".",
    "..",
    "../SOUL.md",
    "skills/../../x.md",
    "skills/..",
    "skills/./x.md",
    "skills//x.md",
    "SOUL.md/",
    "/etc/passwd",
    "//etc/passwd",
    "~/SOUL.md",
    "SOUL.md\0",
    "SOUL.md\0.txt",
    "skills\\..\\..\\x.md",
    "C:\\x.md",
    "C:x.md",
    ":(top)SOUL.md",
    "SOUL.md\n",
    "skills/a\tb.md",
    "skills/\x7f.md",
    "skills/\u202edm.x",
    "skills/\u200b../x.md",
    "skills/\u2028.md",
    "skills/\udcff.md",
    "skills/e\u0301.md",
    "s" * 513,
]


@pytest.mark.parametrize("text", NOT_A_PATH, ids=ascii)
def test_what_is_no_plain_path_below_the_profile_is_refused(text, tmp_path):
    with pytest.raises(PathRefused):
        checked_relpath(tmp_path, text, EVERYTHING)


NEVER = [
    ".env",
    ".ENV",
    "skills/.env",
    "skills/prod.env",
    ".env.local",
    "auth.json",
    "AUTH.json",
    "auth.json.bak",
    "\uff41uth.json",
    "skills/auth.json",
    "config.yaml",
    "Config.YAML",
    "con\ufb01g.yaml",
    "config.yaml.bak.1",
    "state.db",
    "state.db-wal",
    "state.db-journal",
    "skills/x/memory.sqlite3",
    "logs/agent.md",
    "Logs/x.md",
    "log\u017f/x.md",
    "logs/agent.log",
    "skills/x.log",
    ".git/config",
    ".git",
    "skills/x/.git/hooks/pre-commit",
    ".gitattributes",
    "skills/.gitattributes",
    "\uff0egit/config",
    "\u2024git/config",
    "sessions/x.json",
    "pending/skills/x.json",
    "plugins/x/SKILL.md",
    "hooks/x.md",
    "cron/x.md",
    "ratchet/x.md",
    "profiles/other/SOUL.md",
    "skills/id.pem",
    "skills/id.key",
    "skills/.ratchet-0011",
]


@pytest.mark.parametrize("text", NEVER, ids=ascii)
def test_secrets_settings_and_state_are_refused_even_when_everything_is_allowed(text, tmp_path):
    with pytest.raises(PathRefused):
        checked_relpath(tmp_path, text, EVERYTHING)


@pytest.mark.parametrize("text", ["SOUL.md", "skills/x.md", "skills/a/b/c/SKILL.md", "skills/日本.md", "skills/a b.md"])
def test_prompt_files_are_allowed(text, tmp_path):
    assert str(checked_relpath(tmp_path, text, ChangeLimits())) == text


@pytest.mark.parametrize("text", ["soul.md", "x/SOUL.md", "skills/run.py", "README.md", "skills", "skills/x.md/y"])
def test_what_is_not_on_the_list_is_refused(text, tmp_path):
    with pytest.raises(PathRefused, match="not on the list"):
        checked_relpath(tmp_path, text, ChangeLimits())


def test_the_operator_widens_and_narrows_the_list(tmp_path):
    limits = ChangeLimits(allowed_files=("notes/**", "!notes/private/**"))
    assert checked_relpath(tmp_path, "notes/a/b.txt", limits)
    for text in ("notes/private/a.txt", "SOUL.md", "x/notes/a.txt"):
        with pytest.raises(PathRefused):
            checked_relpath(tmp_path, text, limits)


@pytest.mark.parametrize("allowed", [("SOUL.md",), ("**",), ("memories/*.md",)], ids=str)
@pytest.mark.parametrize("is_configured", [False, True], ids=["off", "configured"])
@pytest.mark.parametrize("is_staged", [False, True], ids=["direct", "staged"])
def test_memory_needs_the_operator_and_a_host_that_stages_its_own_writes(allowed, is_configured, is_staged, tmp_path):
    if is_staged:
        (tmp_path / "config.yaml").write_text("memory: {write_approval: true}\n")
    limits = ChangeLimits(allowed_files=allowed, allow_memory=is_configured)
    if is_configured and is_staged:
        assert checked_relpath(tmp_path, "memories/MEMORY.md", limits)
    else:
        with pytest.raises(PathRefused, match="allow_memory"):
            checked_relpath(tmp_path, "memories/MEMORY.md", limits)
    for text in ("memories/x/MEMORY.md", "memories/x.txt", "Memories/MEMORY.md"):
        with pytest.raises(PathRefused):
            checked_relpath(tmp_path, text, limits)


def test_memory_is_changed_like_any_file_when_both_agree(plain):
    plain.file("memories").mkdir()
    plain.file("memories/MEMORY.md").write_bytes(b"One.\n")
    plain.settings("changes: {allow_memory: true}")
    with plain.file("config.yaml").open("a") as config:
        config.write("memory:\n  write_approval: true\n")
    number = plain.live(b"Two.\n", "memories/MEMORY.md")
    assert plain.content("memories/MEMORY.md") == b"Two.\n"
    plain.file("config.yaml").write_text(plain.file("config.yaml").read_text().replace("true", "false"))
    plain.revert(number)  # what is live can be taken back, whatever the settings say by then
    assert plain.content("memories/MEMORY.md") == b"One.\n"


def as_symlink(path: Path):
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real").name)


def as_dangling_link(path: Path):
    path.unlink()
    path.symlink_to(path.parent / "nowhere")


def as_hard_link(path: Path):
    os.link(path, path.with_suffix(".other"))


def as_fifo(path: Path):
    path.unlink()
    os.mkfifo(path)


def as_folder(path: Path):
    path.unlink()
    path.mkdir()


def as_socket(path: Path):
    path.unlink()
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)
    finally:
        os.chdir(here)


def as_device(path: Path):
    path.unlink()
    path.symlink_to("/dev/null")


def as_oversize(path: Path):
    path.write_bytes(b"x" * 262_145)


ODD = [as_symlink, as_dangling_link, as_hard_link, as_fifo, as_folder, as_socket, as_device, as_oversize]


def picture(home: Path):
    """Every name below the profile's home with what it is; the contents of plain files too."""
    found = {}
    for path in sorted(home.rglob("*")):
        if "ratchet" in path.relative_to(home).parts:
            continue
        facts = path.lstat()
        is_file = path.is_file() and not path.is_symlink()
        found[str(path)] = facts.st_mode, facts.st_ino, path.read_bytes() if is_file else None
    return found


@pytest.mark.parametrize("make_odd", ODD)
def test_anything_but_a_plain_file_is_refused_at_proposal_apply_and_revert(plain, prepared, make_odd):
    make_odd(plain.file())
    with pytest.raises(PathRefused):
        plain.proposed()
    for kind, error in (("apply", PathRefused), ("revert", FileDrifted)):
        stage, number = prepared(False, kind)
        make_odd(stage.file())
        before = picture(stage.home)
        with pytest.raises(error):
            stage.run(kind, number)
        assert picture(stage.home) == before
        assert stage.open_operations() == []
        assert bool(stage.experiment(number).manual_conflict_detected) == (kind == "revert")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device")
def test_a_real_device_is_refused(plain):
    number = plain.approved()
    plain.file().unlink()
    os.mknod(plain.file(), 0o020666, os.makedev(1, 3))
    with pytest.raises(PathRefused, match="not a regular file"):
        plain.apply(number)


@pytest.mark.parametrize("part", ["skills", "skills/x"])
@pytest.mark.parametrize("is_new", [True, False], ids=["new file", "old file"])
def test_a_link_in_the_place_of_a_folder_is_not_followed(plain, tmp_path, part, is_new):
    relpath = "skills/x/SKILL.md"
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "x").mkdir(parents=True)
    plain.file("skills/x").mkdir(parents=True)
    if not is_new:
        plain.file(relpath).write_bytes(b"One.\n")
        for place in (elsewhere, elsewhere / "x"):
            (place / "SKILL.md").write_bytes(b"One.\n")
    number = plain.approved(b"Two.\n", relpath)
    plain.file(part).rename(tmp_path / "moved")
    plain.file(part).symlink_to(elsewhere)
    with pytest.raises(PathRefused, match="link"):
        plain.apply(number)
    assert b"Two.\n" not in [path.read_bytes() for path in elsewhere.rglob("*.md")]
    assert plain.open_operations() == []


def test_the_size_limit_holds_for_the_candidate_too(plain):
    plain.settings("changes: {max_file_bytes: 50}")
    with pytest.raises(RatchetError, match="50"):
        plain.proposed(OLD + b"x")


def planted_before(monkeypatch, name, plant):
    """Do ``plant`` once, right before the system call ``name`` of the disk seam."""
    real = getattr(disk, name)
    left = [plant]

    def call(*arguments):
        if left:
            left.pop()()
        return real(*arguments)

    monkeypatch.setattr(disk, name, call)


LAST_MOMENT = {
    "symlink": as_symlink,
    "hard link": as_hard_link,
    "fifo": as_fifo,
    "folder": as_folder,
    "device": as_device,
    "oversize": as_oversize,
}


@pytest.mark.parametrize("make_odd", LAST_MOMENT.values(), ids=LAST_MOMENT)
@pytest.mark.parametrize("kind", ["apply", "revert"])
def test_what_is_planted_between_check_and_exchange_is_put_back(prepared, monkeypatch, kind, make_odd):
    stage, number = prepared(False, kind)
    planted = {}

    def plant():
        make_odd(stage.file())
        planted.update(picture(stage.home))

    planted_before(monkeypatch, "exchange", plant)
    with pytest.raises(FileDrifted):
        stage.run(kind, number)
    after = picture(stage.home)
    temporary = {name for name in planted if ".ratchet-" in name}
    assert after == {name: facts for name, facts in planted.items() if name not in temporary}
    assert len(temporary) == 1
    assert stage.open_operations() == []
    assert stage.experiment(number).state == ("approved" if kind == "apply" else "live")
    assert bool(stage.experiment(number).manual_conflict_detected) == (kind == "revert")


@pytest.mark.parametrize("moment", ["create", "exchange"])
def test_a_folder_replaced_by_a_link_in_the_middle_is_not_followed(plain, tmp_path, monkeypatch, moment):
    relpath = "skills/x/SKILL.md"
    plain.file("skills/x").mkdir(parents=True)
    plain.file(relpath).write_bytes(b"One.\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "SKILL.md").write_bytes(b"One.\n")
    number = plain.approved(b"Two.\n", relpath)

    def plant():
        plain.file("skills/x").rename(tmp_path / "moved")
        plain.file("skills/x").symlink_to(elsewhere)
        if moment == "create":
            monkeypatch.setattr(disk, "exchange", None)  # seen in time: it does not come to that

    planted_before(monkeypatch, moment, plant)
    with pytest.raises(PathRefused):
        plain.apply(number)
    assert [path.read_bytes() for path in elsewhere.iterdir()] == [b"One.\n"]
    assert [path.read_bytes() for path in (tmp_path / "moved").iterdir()] == [b"One.\n"]
    assert plain.open_operations() == []
    assert plain.experiment(number).state == "approved"


def test_a_link_planted_where_a_new_file_goes_is_left_alone(plain, tmp_path, monkeypatch):
    relpath = "skills/x/SKILL.md"
    number = plain.approved(b"Two.\n", relpath)
    target = tmp_path / "target"
    planted_before(monkeypatch, "rename_new", lambda: plain.file(relpath).symlink_to(target))
    with pytest.raises(FileDrifted):
        plain.apply(number)
    assert plain.file(relpath).is_symlink()
    assert not target.exists()
    assert plain.leftovers() == []


def test_a_link_planted_under_the_temporary_name_is_not_written_through(plain, tmp_path, monkeypatch):
    number = plain.approved()
    target = tmp_path / "target"
    target.write_bytes(b"theirs")
    real = disk.create

    def plant(name, folder):
        os.symlink(target, name, dir_fd=folder)
        return real(name, folder)

    monkeypatch.setattr(disk, "create", plant)
    with pytest.raises(FileDrifted):
        plain.apply(number)
    assert target.read_bytes() == b"theirs"
    assert plain.content() == OLD


def test_empty_folders_are_not_removed_through_a_link(plain, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "x").mkdir(parents=True)
    plain.file("skills").symlink_to(elsewhere)
    remove_empty_folders(plain.home, checked_relpath(plain.home, "skills/x/SKILL.md", ChangeLimits()))
    assert (elsewhere / "x").is_dir()


def test_an_open_file_is_not_leaked_by_a_refusal(plain):
    as_folder(plain.file())
    before = set(os.listdir("/dev/fd"))
    for _ in range(3):
        with pytest.raises(PathRefused):
            plain.proposed()
    assert len(set(os.listdir("/dev/fd")) - before) <= 1
