"""A change as a phone shows it: narrow, marked line by line, and never without what differs."""

from __future__ import annotations

import pytest

from karpathy_self_improve.commands.chat import narrow_diff
from karpathy_self_improve.ratchet.atomic_change import difference

LONG = "".join(f"Sentence number {n} of a long paragraph. " for n in range(12))


def shown(before: str, after: str) -> list[str]:
    return narrow_diff.lines(difference("SOUL.md", before.encode(), after.encode()))


def test_one_line_around_a_change_says_where_it_is() -> None:
    before = "# Soul\n\nYou help.\nBe brief.\n- Say hello.\n- Say goodbye.\n"
    assert shown(before, before.replace("Be brief.", "Be very brief.")) == [
        "  You help.",
        "- Be brief.",
        "+ Be very brief.",
        "  - Say hello.",
    ]


def test_every_row_is_narrow_and_carries_its_mark() -> None:
    rows = shown("Hello.\n", f"Hello.\n{LONG}\n")
    assert len(rows) > 5
    assert all(len(row) <= 40 for row in rows)
    assert {row[:2] for row in rows[1:]} == {"+ "}
    assert "".join(row[2:] for row in rows[1:]) == LONG


def test_of_a_long_line_only_what_differs_is_shown() -> None:
    rows = shown(f"{LONG}\n", f"{LONG.replace('number 6 of', 'number six of')}\n")
    old, new = ("".join(row[2:] for row in rows if row[0] == mark) for mark in "-+")
    assert (len(rows), old.count("number 6 of"), new.count("number six of")) == (4, 1, 1)
    assert old[0] == new[0] == old[-1] == new[-1] == "\u2026"


@pytest.mark.parametrize(
    ("before", "after"),
    [("", LONG), (LONG, ""), (LONG, LONG + "x"), ("x" + LONG, LONG), (LONG, LONG[:200] + LONG[201:]), (LONG, "y")],
)
def test_what_differs_is_never_cut_off(before: str, after: str) -> None:
    rows = shown(f"{before}\n", f"{after}\n")
    old, new = ("".join(row[2:] for row in rows if row[0] == mark).strip("\u2026") for mark in "-+")
    start = before.index(old)
    assert before[:start] + new + before[start + len(old) :] == after


def test_white_space_that_cannot_be_seen_is_named() -> None:
    assert shown("Be brief.\n", "Be brief. \n")[-1] == "  (only white space differs)"
    assert shown("Be brief.\r\n", "Be brief.\n")[0] == "- Be brief.\r"


def test_line_ends_of_windows_are_not_shown() -> None:
    assert shown("a\r\nb\r\n", "a\r\nc\r\n") == ["  a", "- b", "+ c"]


def test_a_file_without_a_last_line_end_and_a_new_file() -> None:
    assert shown("a\nb", "a\nc") == ["  a", "- b", "+ c"]
    assert narrow_diff.lines(difference("x.md", None, b"one\ntwo\n")) == ["+ one", "+ two"]


def test_what_stands_in_place_of_a_lost_diff_is_shown() -> None:
    assert narrow_diff.lines("The stored content is damaged.\n") == ["The stored content is damaged."]
    assert narrow_diff.lines("") == [""]
