"""Our page inside the host's real page, in a real Chromium: it lists, it shows, and no text becomes markup."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from karpathy_self_improve.ratchet import experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import open_context

PLUGIN = "karpathy-self-improve"
HOSTILE = "<img src=x onerror=\"document.title='taken'\"> \x1b[2J \u202e answers ran long"
Look = Callable[[str], str]


@pytest.fixture
def proposed(home: Path) -> None:
    """One proposal whose rationale is hostile, in a home with unsigned approvals."""
    settings = f"plugins:\n  enabled: [{PLUGIN}]\n  entries:\n    {PLUGIN}: {{approval: unsigned}}\n"
    (home / "config.yaml").write_text(settings, encoding="utf-8")
    context = open_context()
    base = experiments.current_file(context, "default", "SOUL.md").content
    candidate = experiments.replaced_text(base, "briefly", "very briefly")
    experiments.propose(context, "default", "SOUL.md", candidate, HOSTILE, Actor("somebody", "os:somebody"))
    context.store.close()


def text_of(page: str) -> str:
    """Our part of the page as a reader sees it."""
    ours = page[page.index('class="ksi"') :]
    return html.unescape(re.sub(r"<[^>]*>", " ", ours))


def test_the_list_and_one_experiment(proposed: None, look: Look) -> None:
    listed = look("/self-improve")
    assert ">Self-Improve<" in listed
    for words in ("approval: unsigned.", "Nobody is watching.", "SOUL.md", "proposed", "answers ran long"):
        assert words in text_of(listed)
    shown = look("/self-improve#/experiments/1")
    for words in ("Experiment 1", "You answer very briefly.", "Approve", "Reject", "What happened", "somebody"):
        assert words in text_of(shown)
    for page in (listed, shown):
        assert "<img src" not in page
        assert "<title>taken" not in page
        assert "\u27e8U+001B\u27e9[2J \u27e8U+202E\u27e9" in text_of(page)


def test_an_empty_list_says_how_to_begin(look: Look) -> None:
    page = text_of(look("/self-improve"))
    assert "No experiments yet." in page
    assert 'hermes ratchet new --target default --file SOUL.md --replace "old words" "new words"' in page


def test_a_damaged_database_is_said_on_the_page(home: Path, look: Look) -> None:
    (home / "ratchet").mkdir(mode=0o700)
    (home / "ratchet" / "ratchet.db").write_bytes(b"this is no database at all, " * 40)
    assert "is damaged" in text_of(look("/self-improve"))
