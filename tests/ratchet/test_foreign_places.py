"""A change stays with the home it was made for: no second name and no foreign repository takes it elsewhere."""

from __future__ import annotations

import subprocess
import time

import pytest

from karpathy_self_improve import host
from karpathy_self_improve.errors import GitRefused, SettingsInvalid
from karpathy_self_improve.ratchet.atomic_change import describe
from karpathy_self_improve.settings import ChangeLimits
from karpathy_self_improve.watching.difference import unified


def test_a_second_name_for_a_home_is_no_profile(plain):
    (plain.home / "profiles").mkdir()
    (plain.home / "profiles" / "alias").symlink_to(plain.home, target_is_directory=True)
    assert [profile.name for profile in host.profiles()] == ["default"]


@pytest.mark.parametrize("how", ["file", "link"])
def test_a_repository_of_another_folder_is_refused(plain, tmp_path, how):
    other = tmp_path / "other"
    subprocess.run(["git", "init", "-q", str(other)], check=True)
    pointer = plain.home / ".git"
    if how == "file":
        pointer.write_text(f"gitdir: {other}/.git\n", encoding="utf-8")
    else:
        pointer.symlink_to(other / ".git")
    with pytest.raises(GitRefused, match="another folder"):
        plain.proposed()
    assert not any((other / ".git" / "refs" / "heads").iterdir())


def test_a_configuration_that_is_no_file_hangs_nobody(plain):
    (plain.home / "config.yaml").unlink()
    (plain.home / "config.yaml").mkdir()
    with pytest.raises(SettingsInvalid, match="no regular file"):
        host.settings()


def test_a_file_of_many_equal_lines_is_compared_at_once():
    """Line-by-line comparison of whole files took over a minute here; the limit only tells the two apart."""
    base = b"".join(bytes([33 + i % 90]) + b"\n" for i in range(60_000))
    started = time.process_time()
    change = describe("SOUL.md", base, base + b"Z\n", ChangeLimits())
    shown = unified(base, base + b"Z\n", "SOUL.md")
    assert time.process_time() - started < 5
    assert change.diff.endswith("+Z\n")
    assert change.diff == shown
