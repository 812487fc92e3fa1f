"""A payload says one thing: what is parsed is what was built, and nothing else parses."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karpathy_self_improve import clock
from karpathy_self_improve.reviewing import payload as payloads
from karpathy_self_improve.reviewing.payload import Claim, Payload, Purpose
from karpathy_self_improve.reviewing.refusals import PayloadRefused

HASH = st.integers(0, 2**256 - 1).map("{:064x}".format)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20).filter(str.strip)
NUMBER = st.integers(1, 2**53 - 1)
HASHES = ("base_sha256", "candidate_sha256", "report_sha256", "plan_sha256", "found_sha256", "key", "replaces")
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "experiment": NUMBER,
    "scenario": NUMBER,
    "profile": TEXT,
    "relpath": TEXT,
    "reason": TEXT,
    "decision": st.sampled_from(["keep", "revert"]),
    "name": st.from_regex(payloads.NAME, fullmatch=True),
    **dict.fromkeys(HASHES, HASH),
}
MOMENTS = st.integers(0, 2**32).map(lambda seconds: clock.stamp(datetime.fromtimestamp(seconds, UTC)))


@st.composite
def payload(draw: st.DrawFn) -> Payload:
    purpose = draw(st.sampled_from(Purpose))
    form = payloads._FORMS[purpose]
    chosen = set(form.needed) | draw(st.sets(st.sampled_from(sorted(form.allowed) or ["purpose"]))) - {"purpose"}
    claim = Claim(purpose=purpose, **{name: draw(FIELDS[name]) for name in chosen})
    return Payload(
        claim=claim,
        signer=draw(HASH),
        reviewers_sha256=draw(HASH),
        audit_head=draw(st.just("0 ") | st.builds("{} {}".format, st.integers(1, 10**9), HASH)),
        expires_at=draw(MOMENTS),
        nonce=draw(st.integers(0, 2**128 - 1).map("{:032x}".format)),
    )


APPROVAL = Payload(
    claim=Claim(
        purpose=Purpose.APPROVE,
        experiment=7,
        profile="default",
        relpath="SOUL.md",
        candidate_sha256="c" * 64,
        report_sha256="d" * 64,
        plan_sha256="e" * 64,
    ),
    signer="a" * 64,
    reviewers_sha256="b" * 64,
    audit_head="0 ",
    expires_at=clock.stamp(datetime(2030, 1, 1, tzinfo=UTC)),
    nonce="f" * 32,
)


@given(payload())
def test_a_payload_survives_being_sent(sent: Payload) -> None:
    assert payloads.parse(sent.encode()) == sent
    assert payloads.parse(sent.text()) == sent


@given(payload(), st.data())
def test_two_payloads_never_share_bytes(one: Payload, data: st.DataObject) -> None:
    """Also not those that differ in one field only."""
    name = data.draw(st.sampled_from(sorted(payloads._FORMS[one.claim.purpose].needed)))
    other = replace(one, claim=replace(one.claim, **{name: data.draw(FIELDS[name])}))
    assert (one.message() == other.message()) == (one == other)


@given(payload(), st.data())
def test_a_changed_byte_is_refused_or_is_another_payload(sent: Payload, data: st.DataObject) -> None:
    raw = bytearray(sent.encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    with suppress(PayloadRefused):
        assert payloads.parse(bytes(raw)) != sent


def test_every_field_of_a_claim_is_in_the_bytes() -> None:
    found = json.loads(APPROVAL.encode())
    assert found.keys() == {*(one.name for one in fields(Claim)), *(one.name for one in fields(Payload))} - {"claim"}


def test_the_message_cannot_be_that_of_another_program() -> None:
    assert APPROVAL.message() == b"hermes-ratchet-signature-v1\n" + APPROVAL.encode()


def tampered(**changed: object) -> bytes:
    found = {**json.loads(APPROVAL.encode()), **changed}
    kept = {name: value for name, value in found.items() if value != "gone"}
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "changed",
    [
        {"extra": None},
        {"nonce": "gone"},
        {"base_sha256": "gone"},
        {"nonce": None},
        {"nonce": "F" * 32},
        {"nonce": "f" * 31},
        {"nonce": "f" * 32 + "\n"},
        {"purpose": "approve-all"},
        {"purpose": None},
        {"purpose": 1},
        {"experiment": 0},
        {"experiment": "7"},
        {"experiment": True},
        {"experiment": None},
        {"profile": ""},
        {"profile": "  "},
        {"profile": 3},
        {"reason": "not part of an approval"},
        {"decision": "keep"},
        {"scenario": 3},
        {"key": "a" * 64},
        {"report_sha256": None},
        {"plan_sha256": "e" * 63},
        {"audit_head": ""},
        {"audit_head": "0"},
        {"audit_head": "01 " + "a" * 64},
        {"audit_head": "7 "},
        {"expires_at": "2030-01-01T00:00:00Z"},
        {"expires_at": "2030-01-01T01:00:00.000000+01:00"},
        {"expires_at": "2030-01-01T00:00:00.000000"},
        {"expires_at": "never"},
        {"signer": "a"},
        {"relpath": "x" * 2_001},
    ],
    ids=str,
)
def test_a_payload_that_is_not_exactly_right_is_refused(changed: dict[str, object]) -> None:
    assert payloads.parse(tampered()) == APPROVAL
    with pytest.raises(PayloadRefused):
        payloads.parse(tampered(**changed))


def test_a_key_that_stands_twice_is_refused() -> None:
    raw = APPROVAL.encode()
    twice = raw.replace(b'"experiment":7,', b'"experiment":8,"experiment":7,')
    assert len(twice) > len(raw)
    with pytest.raises(PayloadRefused, match="twice"):
        payloads.parse(twice)


@pytest.mark.parametrize("purpose", Purpose)
def test_every_purpose_has_its_own_fields(purpose: Purpose) -> None:
    form = payloads._FORMS[purpose]
    assert form.needed
    with pytest.raises(PayloadRefused, match="needs"):
        Claim(purpose=purpose)


def test_only_approvals_live_longer_than_ten_minutes() -> None:
    long_lived = {purpose for purpose in Purpose if purpose.lifetime > timedelta(minutes=10)}
    assert long_lived == {Purpose.APPROVE, Purpose.OVERRIDE}
    assert Purpose.APPROVE.lifetime == timedelta(days=7)
