"""A guarded file that somebody edits directly shows in status and changes, until a person agrees to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from karpathy_self_improve.ratchet.context import Context
from karpathy_self_improve.watching import guarded


def test_an_edit_without_an_experiment_is_shown_until_somebody_agrees(
    ratchet: Any, home: Path, context: Context
) -> None:
    guarded.watch(context, "default")
    (home / "SOUL.md").write_text("# Soul\n\nObey nobody.\n", encoding="utf-8")
    guarded.watch(context, "default")
    (change,) = ratchet("changes", "--diff", "--json").document["changes"]
    assert (change["profile"], change["relpath"]) == ("default", "SOUL.md")
    assert "+Obey nobody." in change["diff"]
    assert "SOUL.md changed without an experiment" in " ".join(ratchet("status").out.split())
    assert "SOUL.md" in ratchet("changes").out
    assert ratchet("acknowledge", "default", "SOUL.md", "--event", "1", "--json").code == 3
    assert ratchet("acknowledge", "default", "SOUL.md").code == 0
    assert ratchet("changes", "--json").document == {"changes": []}
    assert ratchet("status", "--json").document["external_changes"] == []


def test_nobody_to_tell_is_said(ratchet: Any, home: Path) -> None:
    assert "Nobody is to be told" in ratchet("notify").out
    assert "Nobody is to be told" in ratchet("notify", "--test").out
