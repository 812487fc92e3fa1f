"""Apply writes exactly the candidate's bytes, and revert brings back exactly what was there, mode and absence too."""

from __future__ import annotations

import os
import subprocess

import pytest

NEW_SKILL = b"---\nname: tidy\ndescription: Tidies up.\n---\nPut things back.\n"

PAIRS = {
    "not UTF-8": (b"caf\xe9 \xff\xfe\x80\n", b"caf\xe9 \xff\xfe\x81\n"),
    "NUL byte": (b"a\0b\nEnd.\n", b"a\0c\nEnd.\n"),
    "CRLF": (b"One.\r\nTwo.\r\n", b"One.\r\nThree.\r\n"),
    "mixed line ends": (b"One.\r\nTwo.\nThree.\rFour.\n", b"One.\r\nTwo.\nThree.\rFive.\n"),
    "no final newline": (b"One.\nTwo.", b"One.\nThree."),
    "final newline added": (b"One.\nTwo.", b"One.\nTwo.\n"),
    "empty before": (b"", b"Something.\n"),
    "empty after": (b"Something.\n", b""),
    "byte order mark": (b"\xef\xbb\xbfOne.\n", b"\xef\xbb\xbfTwo.\n"),
    "text that git would convert": (b"$Id$ One.\r\n", b"$Id$ Two.\r\n"),
}


def check_round_trip(stage, old, new):
    stage.file().write_bytes(old)
    if stage.own:
        stage.git("commit", "-qam", "old")
    number = stage.approved(new)
    assert stage.apply(number) == "live"
    assert stage.content() == stage.committed() == new
    assert stage.revert(number) == "reverted"
    assert stage.content() == stage.committed() == old


@pytest.mark.parametrize(("old", "new"), PAIRS.values(), ids=PAIRS)
def test_apply_writes_the_candidate_and_revert_the_prior_bytes(plain, old, new):
    check_round_trip(plain, old, new)


@pytest.mark.parametrize("name", ["not UTF-8", "text that git would convert", "empty after"])
def test_the_users_own_repository_gets_the_same_bytes(own, name):
    own.file(".git/info/attributes").write_text("* text eol=lf ident\n")
    check_round_trip(own, *PAIRS[name])


@pytest.mark.parametrize("mode", [0o600, 0o755, 0o400])
def test_mode_bits_stay_through_apply_and_revert(either, mode):
    either.file().chmod(mode)
    if either.own:
        either.git("commit", "-qam", "mode", check=False)
    number = either.live()
    assert either.file().stat().st_mode & 0o7777 == mode
    entry = either.git("ls-tree", "HEAD", "SOUL.md").split()[0]
    assert entry == ("100755" if mode & 0o100 else "100644")
    either.file().chmod(0o640)
    either.revert(number)
    assert either.file().stat().st_mode & 0o7777 == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_owner_stays(plain):
    os.chown(plain.file(), 12345, 54321)
    number = plain.live()
    assert (plain.file().stat().st_uid, plain.file().stat().st_gid) == (12345, 54321)
    plain.revert(number)
    assert (plain.file().stat().st_uid, plain.file().stat().st_gid) == (12345, 54321)


@pytest.mark.parametrize("candidate", [NEW_SKILL, b""], ids=["text", "empty"])
def test_a_file_made_by_apply_goes_away_again_with_its_folders(either, candidate):
    relpath = "skills/home/tidy/SKILL.md"
    either.file("skills").mkdir()
    number = either.approved(candidate, relpath)
    assert either.apply(number) == "live"
    assert either.content(relpath) == either.committed(relpath) == candidate
    assert either.file(relpath).stat().st_mode & 0o7777 == 0o644
    either.check_consistent(number, None, candidate, relpath)
    assert either.revert(number) == "reverted"
    assert not either.file("skills/home").exists()
    assert either.file("skills").is_dir()
    assert either.committed(relpath) is None
    either.check_consistent(number, None, candidate, relpath)


def test_revert_keeps_folders_that_hold_something_else(plain):
    number = plain.live(NEW_SKILL, "skills/home/tidy/SKILL.md")
    plain.file("skills/home/notes.txt").write_text("mine")
    plain.revert(number)
    assert [path.name for path in plain.file("skills/home").iterdir()] == ["notes.txt"]


def test_a_change_taken_back_and_made_again_is_exact_each_time(either):
    old = either.content()
    for turn in range(3):
        new = old + f"\nTurn {turn}.".encode()
        number = either.live(new)
        assert either.content() == new
        either.revert(number)
        assert either.content() == old
    assert len(either.our_commits()) == 6


def test_repeating_apply_and_revert_answers_the_same_and_commits_nothing_more(either):
    number = either.live()
    assert either.apply(number) == "live"
    assert either.revert(number) == either.revert(number) == "reverted"
    assert len(either.our_commits()) == 2


def test_the_file_is_new_on_the_disk_before_its_name_is_given_to_it(plain, monkeypatch):
    """What a power cut leaves: contents are synced before the names swap, names before git hears of it."""
    from karpathy_self_improve.ratchet.files import disk
    from karpathy_self_improve.ratchet.git import history

    order = []

    def noted(module, name, mark):
        real = getattr(module, name)

        def call(*arguments, **named):
            order.append(mark(*arguments) if callable(mark) else mark)
            return real(*arguments, **named)

        monkeypatch.setattr(module, name, call)

    def kind(fd):
        return "sync folder" if os.path.isdir(f"/dev/fd/{fd}") else "sync file"

    noted(disk, "write", "write")
    noted(disk, "sync", kind)
    noted(disk, "exchange", "swap")
    noted(history, "publish", "branch")
    plain.live()
    assert order == ["write", "sync file", "swap", "sync folder", "branch", "sync folder"]


def test_history_shows_the_real_change_and_nothing_else(plain):
    plain.live()
    shown = subprocess.run(
        ["git", f"--git-dir={plain.git_dir}", "show", "--format=", "HEAD"], capture_output=True, check=True
    ).stdout
    changed = [line for line in shown.split(b"\n") if line[:1] in (b"-", b"+") and line[:3] not in (b"---", b"+++")]
    assert changed == [b"-Be brief. Be kind.\r", b"+Be brief. Be very kind.\r"]
