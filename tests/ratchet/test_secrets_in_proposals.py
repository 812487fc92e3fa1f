"""A proposal that holds a secret is refused with its type and line; nothing of it is stored, shown or logged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from karpathy_self_improve.errors import ChangeRefused
from karpathy_self_improve.ratchet import experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context

SOMEBODY = Actor("somebody", "os:somebody")
TOKEN = "gh" + "p_" + "aB3dE6gH9kL2" * 3
OLD = b"# Soul\n\nBe brief. Be kind. \xff\n"


@pytest.fixture
def here(home: Path) -> Iterator[Context]:
    (home / "SOUL.md").write_bytes(OLD)
    opened = open_context()
    yield opened
    opened.store.close()


def refusal(here: Context, candidate: bytes, rationale: str) -> str:
    with pytest.raises(ChangeRefused) as refused:
        experiments.propose(here, "default", "SOUL.md", candidate, rationale, SOMEBODY)
    return str(refused.value)


def test_a_candidate_with_a_secret_is_refused(here: Context) -> None:
    message = refusal(here, OLD.replace(b"Be kind.", f"Be {TOKEN} kind.".encode()), "Because.")
    assert "Line 3" in message
    assert "github-token" in message
    assert TOKEN not in message


def test_a_rationale_with_a_secret_is_refused(here: Context) -> None:
    message = refusal(here, OLD.replace(b"Be kind.", b"Be very kind."), f"It said {TOKEN}.")
    assert "Line 1 of the rationale" in message
    assert TOKEN not in message


def test_nothing_of_it_is_kept(here: Context, home: Path) -> None:
    refusal(here, OLD.replace(b"Be kind.", f"Be {TOKEN} kind.".encode()), "Because.")
    kept = [file for file in home.rglob("*") if file.is_file() and TOKEN.encode() in file.read_bytes()]
    assert kept == []
