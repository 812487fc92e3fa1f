"""`hermes ratchet diff N > x.patch` is what git applies, byte for byte, whatever the file is like."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.ratchet import atomic_change

VERSIONS = {
    "plain": (b"a\nb\nc\n", b"a\nB\nc\n"),
    "no newline at the end": (b"a\nb", b"a\nB"),
    "a newline added at the end": (b"a\nb", b"a\nb\n"),
    "line ends of Windows": (b"a\r\nb\r\n", b"a\r\nB\r\n"),
    "not UTF-8": (b"a\n\xe9\n", b"a\n\xe8\n"),
    "control characters": (b"a\nb\n", b"a\n\x1b[2J\x00\n"),
    "a new file": (None, b"a\nb\n"),
    "all of it": (b"a\n", b"b\n"),
}


def apply(folder: Path, patch: bytes) -> None:
    done = subprocess.run(["git", "-C", str(folder), "apply", "-"], input=patch, capture_output=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("what", VERSIONS)
def test_git_applies_it(tmp_path: Path, what: str) -> None:
    before, after = VERSIONS[what]
    relpath = "skills/a b/SKILL.md"
    (tmp_path / "skills" / "a b").mkdir(parents=True)
    if before is not None:
        (tmp_path / relpath).write_bytes(before)
    apply(tmp_path, atomic_change.patch(relpath, before, after))
    assert (tmp_path / relpath).read_bytes() == after


def test_what_the_command_prints_can_be_piped_on(ratchet: Any, unsigned: Path, tmp_path: Path) -> None:
    soul = (unsigned / "SOUL.md").read_text(encoding="utf-8")
    ratchet("new", "--replace", "Be brief.", "Be br\u00e8f.")
    (tmp_path / "SOUL.md").write_text(soul, encoding="utf-8")
    patch = ratchet("diff", "1").out
    apply(tmp_path, patch.encode())
    assert (tmp_path / "SOUL.md").read_text(encoding="utf-8") == soul.replace("Be brief.", "Be br\u00e8f.")
    again = ratchet("new", "--target", "coder", "--diff", "-", stdin=patch)
    assert again.code == 0, again.err


def test_whoever_is_to_type_a_text_is_told_so(typed: Any) -> None:
    code, screen = typed("new", "--from", "-", answers=(("", "# Soul\n\nYou help.\n\x04"),))
    assert "end it with Ctrl-D" in screen
    assert code == 3  # more than one small change


def test_a_text_that_is_not_utf8_is_refused_in_words(ratchet: Any, unsigned: Path) -> None:
    done = ratchet("scenario", "add", "--name", "n", "--input", "-", stdin="a\udcff")
    assert (done.code, "UTF-8" in done.err) == (2, True)
