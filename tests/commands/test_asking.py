"""The two questions there are: asked on a terminal only, and a plain Enter always means no."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

ALLOW, DELETE = "unsigned approvals? [y/N] ", "private keys? [y/N] "


@pytest.mark.parametrize(("answer", "approval"), [("y", "unsigned"), ("", "signed"), ("\x04", "signed")])
def test_who_approves_is_asked_once(ratchet: Any, typed: Any, answer: str, approval: str) -> None:
    code, screen = typed("init", answers=((ALLOW, answer),))
    assert code == 0, screen
    assert ratchet("status", "--json").document["approval"] == approval


@pytest.mark.parametrize("flags", [("--yes",), ("--approval", "signed"), ("--json",)])
def test_whoever_says_so_is_not_asked(typed: Any, flags: tuple[str, ...]) -> None:
    code, screen = typed("init", *flags)
    assert (code, "[y/N]" in screen) == (0, False)


def test_data_is_deleted_only_after_a_yes(ratchet: Any, typed: Any, home: Path) -> None:
    ratchet("init")
    code, screen = typed("uninstall", "--delete-data", answers=((DELETE, ""),))
    assert (code, "Nothing was removed." in screen) == (2, True)
    assert (home / "ratchet" / "ratchet.db").exists()
    without_terminal = ratchet("uninstall", "--delete-data")
    assert without_terminal.code == 2
    assert "--yes" in without_terminal.err
    assert (home / "ratchet" / "ratchet.db").exists()
    assert typed("uninstall", "--delete-data", answers=((DELETE, "y"),))[0] == 0
    assert not (home / "ratchet").exists()
