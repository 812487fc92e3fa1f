"""A unified diff is applied exactly where it says and exactly as it says, or refused with the line that differs."""

from __future__ import annotations

import subprocess

import pytest

from karpathy_self_improve.errors import ChangeRefused
from karpathy_self_improve.ratchet.unified_diff import apply_diff, split_lines

HEADER = b"--- a/SOUL.md\n+++ b/SOUL.md\n"
BASE = b"one\ntwo\nthree\nfour\n"

PAIRS = {
    "a line reworded": (BASE, BASE.replace(b"two", b"2")),
    "first line": (BASE, BASE.replace(b"one", b"1")),
    "last line": (BASE, BASE.replace(b"four", b"4")),
    "a line added at the start": (BASE, b"zero\n" + BASE),
    "a line added at the end": (BASE, BASE + b"five\n"),
    "a line removed": (BASE, BASE.replace(b"two\n", b"")),
    "CRLF": (b"one\r\ntwo\r\n", b"one\r\n2\r\n"),
    "newline added": (b"one\ntwo", b"one\ntwo\n"),
    "newline taken away": (b"one\ntwo\n", b"one\ntwo"),
    "no newline on both sides": (b"one\ntwo", b"one\n2"),
    "carriage return at the end": (b"one\ntwo\r", b"one\n2\r"),
    "carriage return inside a line": (b"one\rtwo\nthree\n", b"one\rtwo\n3\n"),
    "form feed and other ends that are none": (b"one\x0ctwo\x85\n\xe2\x80\xa8three\n", b"one\x0ctwo\x85\n3\n"),
    "not UTF-8": (b"caf\xe9\n\xff\n", b"caf\xe9!\n\xff\n"),
    "from nothing": (b"", b"one\n"),
    "to nothing": (b"one\n", b""),
    "lines that look like headers": (b"-- a\n++ b\n@@ c\n", b"-- a\n++ x\n@@ c\n"),
}


@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize(("old", "new"), PAIRS.values(), ids=PAIRS)
def test_what_git_writes_is_applied_to_the_byte(tmp_path, old, new, context):
    (tmp_path / "a").write_bytes(old)
    (tmp_path / "b").write_bytes(new)
    words = ["git", "diff", "--no-index", "--text", f"-U{context}", "a", "b"]
    diff = subprocess.run(words, cwd=tmp_path, capture_output=True).stdout
    assert apply_diff(old, diff, "b") == new


def test_a_new_file_is_made_from_no_file():
    assert apply_diff(None, b"--- /dev/null\n+++ b/x.md\n@@ -0,0 +1,2 @@\n+one\n+two\n", "x.md") == b"one\ntwo\n"


def test_text_after_the_hunk_is_not_part_of_it():
    mail = HEADER + b"@@ -1,2 +1,2 @@\n-one\n+1\n two\n-- \n2.39.5\n\n"
    assert apply_diff(BASE, mail, "SOUL.md") == BASE.replace(b"one", b"1")


def test_an_empty_context_line_may_have_lost_its_space():
    assert apply_diff(b"one\n\ntwo\n", HEADER + b"@@ -1,3 +1,3 @@\n one\n\n-two\n+2\n", "SOUL.md") == b"one\n\n2\n"


REFUSED = {
    "no hunk": (b"", "has 0"),
    "two hunks": (b"@@ -1 +1 @@\n-one\n+1\n@@ -4 +4 @@\n-four\n+4\n", "has 2"),
    "another context": (b"@@ -1,2 +1,2 @@\n ONE\n-two\n+2\n", "line 1"),
    "the right lines elsewhere": (b"@@ -2 +2 @@\n-one\n+1\n", "line 2"),
    "past the end": (b"@@ -9 +9 @@\n-one\n+1\n", "4 lines"),
    "runs past the end": (b"@@ -4,2 +4 @@\n-four\n-five\n+4\n", "line 5"),
    "line 0 of a file": (b"@@ -0 +0 @@\n-one\n+1\n", "line 0"),
    "cut off": (b"@@ -1,3 +1,3 @@\n-one\n+1\n", "3 old and 3 new"),
    "too much": (b"@@ -1 +1 @@\n-one\n-two\n+1\n", "announces"),
    "a stray line": (b"@@ -1,2 +1,2 @@\n-one\nwhat\n+1\n two\n", "neither"),
    "a line without its newline in the middle": (b"@@ -1 +1 @@\n-one\n+1\n\\ No newline at end of file\n", "joins"),
    "CRLF where the file has none": (b"@@ -1 +1 @@\r\n-one\r\n+1\r\n", "line 1"),
}


@pytest.mark.parametrize(("hunk", "words"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_exactly_is_refused(hunk, words):
    with pytest.raises(ChangeRefused, match=words):
        apply_diff(BASE, HEADER + hunk, "SOUL.md")


@pytest.mark.parametrize(
    "named", ["b/SOUL.md", "SOUL.md", "b/home/.hermes/SOUL.md", "SOUL.md\t2026-11-20", '"b/SOUL.md"']
)
def test_a_diff_may_name_the_file_from_anywhere(named):
    assert apply_diff(BASE, f"--- x\n+++ {named}\n@@ -1 +1 @@\n-one\n+1\n".encode(), "SOUL.md").startswith(b"1\n")


@pytest.mark.parametrize("named", ["b/AGENTS.md", "b/NOT-SOUL.md", "b/SOUL.md/x"])
def test_a_diff_of_another_file_is_refused(named):
    with pytest.raises(ChangeRefused, match=r"not of SOUL\.md"):
        apply_diff(BASE, f"--- x\n+++ {named}\n@@ -1 +1 @@\n-one\n+1\n".encode(), "SOUL.md")


def test_a_line_is_not_appended_to_one_without_a_newline():
    with pytest.raises(ChangeRefused, match="joins"):
        apply_diff(b"one", HEADER + b"@@ -1,0 +2 @@\n+two\n", "SOUL.md")


def test_lines_are_those_of_git():
    assert split_lines(b"a\r\nb\rc\n\nd") == [b"a\r\n", b"b\rc\n", b"\n", b"d"]
