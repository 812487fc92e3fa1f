"""Before a passphrase is typed everything else is settled, and after it nobody overlooks what is left to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from karpathy_self_improve import clock
from karpathy_self_improve.commands import signing
from karpathy_self_improve.ratchet.actor import terminal_actor
from karpathy_self_improve.ratchet.context import Context
from karpathy_self_improve.reviewing import attempts, changes, keys
from karpathy_self_improve.schema.reviewing import signature_attempts

PASSPHRASE = "maple orbit cactus violin ladder quartz"
CHECKS = '[{"type": "must_contain", "value": "the hidden word"}]'


@pytest.fixture
def ana(home: Path, context: Context) -> keys.SigningKey:
    """The first reviewer, with the key file she signs with."""
    _, key = keys.create(context.data / "keys", "ana", PASSPHRASE)
    changes.set_up(context.store, key, "ana", "os:ana")
    return key


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """``typing("a", "b")`` is a person who types these when asked; what they were asked is in the list it returns."""

    def begin(*answers: str) -> list[str]:
        asked: list[str] = []

        def answer(prompt: str) -> str:
            asked.append(prompt)
            return answers[len(asked) - 1]

        monkeypatch.setattr(signing, "_asked", answer)
        return asked

    return begin


def test_what_cannot_be_done_is_said_before_a_passphrase_is_asked_for(
    ratchet: Any, ana: keys.SigningKey, typing: Any
) -> None:
    asked = typing()
    ratchet("new", "--replace", "briefly", "in short")
    ratchet("pause")
    for words, code, named in (
        (("approve", "77", "--as", "nobody"), "unknown_experiment", "list"),
        (("apply", "77", "--force", "--reason", "x", "--as", "ana"), "unknown_experiment", "list"),
        (("revert", "77", "--force", "--reason", "x", "--as", "ana"), "unknown_experiment", "list"),
        (("decide", "77", "keep", "--reason", "x", "--as", "ana"), "unknown_experiment", "list"),
        (("resume", "--as", "nobody"), "key_unusable", "reviewer list"),
        (("apply", "1", "--force"), "bad_input", "--reason"),
        (("apply", "1", "--force", "--reason", " "), "bad_input", "--reason"),
        (("revert", "1", "--force"), "bad_input", "--reason"),
    ):
        done = ratchet(*words, "--json").document
        assert (done["code"], named in done["error"]) == (code, True), (words, done)
    assert asked == []


def test_a_wait_after_wrong_passphrases_is_told_before_the_next_one_is_typed(
    ratchet: Any, ana: keys.SigningKey, context: Context, typing: Any
) -> None:
    asked = typing()
    ratchet("pause")
    with context.store.write() as tx:
        for _ in range(attempts.PER_PRINCIPAL.free + 9):
            tx.execute(
                insert(signature_attempts).values(
                    principal=terminal_actor().principal, purpose="unlock", started_at=clock.stamp()
                )
            )
    for words in (("resume",), ("reviewer", "rotate"), ("reviewer", "add", "ben"), ("reviewer", "remove", "ana")):
        done = ratchet(*words, "--json")
        assert (done.code, done.document["code"]) == (3, "too_many_attempts"), done
        assert "Try again in" in done.document["error"]
    assert asked == []


def test_held_out_scenarios_are_shown_for_ten_minutes_by_a_signature(
    ratchet: Any, ana: keys.SigningKey, typing: Any
) -> None:
    added = ratchet("scenario", "add", "--name", "h", "--input", "a secret", "--checks", CHECKS, "--holdout", "--json")
    number = str(added.document["scenario_id"])
    assert "a secret" not in ratchet("scenario", "show", number).out
    asked = typing(PASSPHRASE)
    done = ratchet("scenario", "unlock", "--target", "default", "--json")
    assert (done.code, done.document["profile"]) == (0, "default")
    assert asked == ["Passphrase of ana: "]
    assert "Show the held-out scenarios of profile 'default'" in done.err
    assert "a secret" in ratchet("scenario", "show", number).out
    assert ratchet("scenario", "unlock", "--target", "nobody").code == 2


def test_without_a_reviewer_nothing_is_unlocked_and_nobody_signs(ratchet: Any, unsigned: Path, typing: Any) -> None:
    asked = typing()
    done = ratchet("scenario", "unlock")
    assert (done.code, "hermes ratchet reviewer add NAME" in done.err) == (3, True)
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    named = ratchet("approve", "1", "--override", "x", "--as", "ana")
    assert (named.code, "approvals are unsigned" in named.err) == (2, True)
    assert asked == []


def test_a_changed_set_of_reviewers_says_that_it_must_be_pinned(
    ratchet: Any, home: Path, typing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    typing(PASSPHRASE, PASSPHRASE)
    first = ratchet("reviewer", "add", "ana")
    assert first.code == 0, first.err
    assert "Pin the reviewers now" in first.err
    assert "hermes ratchet install-service" in first.err
    pinned = ratchet("reviewer", "list", "--json").document["fingerprint"]
    monkeypatch.setenv("RATCHET_REVIEWERS", pinned)
    typing(PASSPHRASE, f"{PASSPHRASE} anew", f"{PASSPHRASE} anew")
    done = ratchet("reviewer", "rotate", "--json")
    assert (done.document["pinned"], done.document["pin_needed"]) == (pinned, True)
    assert "FROM NOW ON NOTHING IS APPROVED OR APPLIED" in " ".join(done.err.replace("\u2503", "").split())
    assert done.document["fingerprint"] in done.err


def test_a_reset_is_refused_without_a_terminal_and_says_why(ratchet: Any, ana: keys.SigningKey) -> None:
    done = ratchet("reviewer", "reset", "eve", stdin="reset\n")
    assert (done.code, "typing 'reset' at a terminal" in done.err) == (2, True)
    assert [one["name"] for one in ratchet("reviewer", "list", "--json").document["reviewers"]] == ["ana"]
