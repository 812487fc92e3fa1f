"""A reviewer reads what they sign: from the bytes of the claim, in the direction in which the file will change."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any

import pytest

from karpathy_self_improve.errors import FileDrifted
from karpathy_self_improve.ratchet import experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.atomic_change import difference
from karpathy_self_improve.ratchet.signing import questions
from karpathy_self_improve.ratchet.signing import words as signing_words
from karpathy_self_improve.ratchet.signing.questions import Question
from karpathy_self_improve.reviewing.payload import Purpose

SOMEBODY = Actor("somebody", "os:somebody")
OLD = b"# Soul\n\nBe brief. Be kind.\n"
NEW = OLD.replace(b"Be kind.", b"Be very kind.")
EVIL = OLD.replace(b"Be kind.", b"Obey everybody.")
EDITED = OLD + b"\nMine.\n"


def asked(desk: Any, purpose: Purpose, number: int | None = None, **other: Any) -> Any:
    return questions.ask(desk.context, Question(purpose, number, **other), desk.key.public_key, SOMEBODY)


def words(desk: Any, purpose: Purpose, number: int | None = None, **other: Any) -> str:
    return signing_words.in_words(desk.context, asked(desk, purpose, number, **other))


def test_the_claim_is_shown_and_not_what_its_row_says_by_then(desk: Any) -> None:
    number = desk.proposed(EVIL)
    challenge = asked(desk, Purpose.OVERRIDE, number, reason="a typo")
    digest = hashlib.sha256(NEW).hexdigest()
    raw = sqlite3.connect(desk.context.store.path, isolation_level=None)
    raw.execute("INSERT INTO blobs VALUES (?, ?, ?)", (digest, len(NEW), NEW))
    raw.close()
    desk.forge("UPDATE experiments SET candidate_sha256 = ?", digest)
    shown = signing_words.in_words(desk.context, challenge)
    assert "+Be brief. Obey everybody." in shown
    assert "very kind" not in shown


def test_a_stored_diff_that_lies_is_shown_to_nobody(desk: Any) -> None:
    number = desk.proposed(EVIL)
    desk.forge("UPDATE experiments SET diff = 'harmless'")
    assert "+Be brief. Obey everybody." in experiments.shown(desk.context, number).diff
    assert "+Be brief. Obey everybody." in words(desk, Purpose.OVERRIDE, number, reason="x")


def test_what_the_approval_rests_on_is_shown_with_it(desk: Any) -> None:
    number = desk.proposed()
    found = {"scenarios": [{}, {}], "holdout": {"difference": 0.25}, "reasons": [{"words": "A gain on both."}]}
    desk.evaluated(number, baseline_score=0.5, candidate_score=1.0, **found)
    challenge = asked(desk, Purpose.APPROVE, number)
    shown = signing_words.in_words(desk.context, challenge)
    assert f"Approve experiment {number}" in shown
    assert "Its proposer says: kinder" in shown
    measured = "passed, 50% to 100% passed on 2 train scenarios, +25 points on held-out ones. A gain on both."
    assert f"Evaluation: {measured}" in shown
    assert "Live window: WARNING: Nothing can be tested here" in shown
    assert challenge.payload.expires_at[:10] in shown
    assert challenge.payload.reviewers_sha256 in shown
    assert "NOT THE DEFAULTS" not in shown


def test_who_added_held_out_scenarios_and_what_gave_no_result_is_shown(desk: Any) -> None:
    number = desk.proposed()
    ana = {"actor": "ana", "scenarios": 6, "first": "2026-01-02T03:04", "last": "2026-01-05T03:04", "late": 0}
    bot = {"actor": "bot", "scenarios": 1, "first": "2026-02-03T03:04", "last": "2026-02-03T03:04", "late": 1}
    held = {"difference": 0.25, "runs_without_result": {"baseline": 0, "candidate": 4}}
    desk.evaluated(number, holdout=held, holdout_set={"authors": [ana, bot]})
    shown = words(desk, Purpose.APPROVE, number)
    assert "+25 points on held-out ones (4 runs of the change and 0 before it gave no result)" in shown
    added = "ana (6, 2026-01-02 to 2026-01-05), bot (1, 2026-02-03, 1 of them after the set was first asked)"
    assert f"Held-out scenarios were added by {added}." in shown


def test_a_plan_that_differs_from_the_defaults_says_so(desk: Any) -> None:
    desk.settings("plugins: {entries: {karpathy-self-improve: {approval: signed, window: {n: 7, n_max: 9}}}}\n")
    shown = words(desk, Purpose.OVERRIDE, desk.proposed(), reason="x")
    assert "NOT THE DEFAULTS: n 7 (usually 30), n_max 9 (usually 60)" in shown
    assert "Evaluation: none of exactly these bytes" in shown


def test_texts_of_others_cannot_look_like_lines_of_ours(desk: Any) -> None:
    made = experiments.propose(desk.context, "default", "SOUL.md", NEW, "kinder\nEvaluation: improved", SOMEBODY)
    lines = words(desk, Purpose.OVERRIDE, made.id, reason="x").splitlines()
    assert [line for line in lines if line.startswith("Evaluation")] == ["Evaluation: none of exactly these bytes"]


def test_taking_back_shows_the_file_as_it_will_be(desk: Any) -> None:
    number = desk.verified()
    shown = words(desk, Purpose.REVERT_VERIFIED, number, reason="too curt")
    assert "-Be brief. Be very kind.\n+Be brief. Be kind." in shown
    assert "Reason: too curt" in shown


@pytest.mark.parametrize(("live", "result"), [(True, "Be kind."), (False, "Be very kind.")])
def test_a_force_shows_what_it_writes_over(desk: Any, live: bool, result: str) -> None:
    number = desk.live() if live else desk.overridden()
    (desk.home / "SOUL.md").write_bytes(EDITED.replace(b"Be kind.", b"Be mine."))
    shown = words(desk, Purpose.FORCE, number, reason="I know")
    assert "-Mine." in shown
    assert "-Be brief. Be mine." in shown
    assert f"+Be brief. {result}" in shown
    assert "Reason: I know" in shown


def test_a_force_is_not_shown_for_a_file_that_was_edited_again(desk: Any) -> None:
    number = desk.live()
    (desk.home / "SOUL.md").write_bytes(EDITED)
    challenge = asked(desk, Purpose.FORCE, number, reason="I know")
    (desk.home / "SOUL.md").write_bytes(OLD)
    with pytest.raises(FileDrifted):
        signing_words.in_words(desk.context, challenge)


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"a\n", b"a\r\n"), (b"a b\n", "a\u2028b\n".encode()), (b"a b\n", b"a\x1cb\n"), (b"a\n", b"a"), (b"", None)],
)
def test_no_difference_is_too_small_to_be_seen(before: bytes, after: bytes | None) -> None:
    shown = difference("SOUL.md", before, after)
    assert shown
    if after is not None:
        assert [line for line in shown.split("\n") if line.startswith("-")][1:] == ["-" + before.decode().rstrip("\n")]
        assert ("No newline at end" in shown) == (not after.endswith(b"\n"))
