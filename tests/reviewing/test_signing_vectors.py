"""docs/signing.md is enough to sign with: its test vectors are what the code makes, its tables what the code knows."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from karpathy_self_improve.reviewing import keys, passphrases, payload
from karpathy_self_improve.reviewing.keys import SigningKey
from karpathy_self_improve.reviewing.payload import Purpose
from karpathy_self_improve.reviewing.reviewers import Reviewer, ReviewerSet

PAGE = Path(__file__).resolve().parents[2] / "docs" / "signing.md"
SEED = bytes(range(32))


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def after(page: str, heading: str) -> str:
    """The content of the first code block after a sentence."""
    found = re.search(r"```\n(.*?)\n```", page[page.index(heading) :], re.DOTALL)
    assert found is not None
    return found[1]


def table(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table after a heading, without its head."""
    lines = page[page.index(heading) :].split("\n|", 1)[1].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_documented_payload_is_signed_as_documented(page: str) -> None:
    text = after(page, "\nPayload:")
    parsed = payload.parse(text)
    private = Ed25519PrivateKey.from_private_bytes(SEED)
    key = SigningKey(private.public_key().public_bytes_raw().hex(), private)
    assert parsed.signer == key.public_key == after(page, "Public key:")
    assert len(parsed.message()) == 854
    assert hashlib.sha256(parsed.message()).hexdigest() == after(page, "SHA-256 of the message")
    signature = after(page, "\nSignature:")
    assert key.sign(parsed.message()) == signature
    assert keys.verifies(key.public_key, parsed.message(), signature)


def test_the_documented_recipe_gives_the_documented_payload(page: str) -> None:
    """Sorted keys, no white space, nothing escaped that need not be; from fields in any order."""
    text = after(page, "\nPayload:")
    fields = dict(reversed(json.loads(text).items()))
    rebuilt = json.dumps({name: fields[name] for name in sorted(fields)}, ensure_ascii=False, separators=(",", ":"))
    assert rebuilt == text
    prefix = after(page, "## What is signed").removesuffix("<payload>").replace("\\n", "\n").encode()
    assert len(prefix) == 28
    assert payload.parse(text).message() == prefix + rebuilt.encode()


def test_the_documented_fingerprint_is_that_of_the_documented_key(page: str) -> None:
    only = ReviewerSet((Reviewer("alice", after(page, "Public key:"), ""),))
    assert only.fingerprint == after(page, "Fingerprint of the set:")
    assert payload.parse(after(page, "\nPayload:")).reviewers_sha256 == only.fingerprint


def test_a_fingerprint_does_not_depend_on_the_order() -> None:
    both = tuple(Reviewer("x", key, "") for key in ("02" * 32, "01" * 32))
    expected = hashlib.sha256(bytes([1] * 32 + [2] * 32)).hexdigest()
    assert ReviewerSet(both).fingerprint == ReviewerSet(both[::-1]).fingerprint == expected


def test_the_documented_key_file_opens_with_the_documented_passphrase(page: str, tmp_path: Path) -> None:
    path = tmp_path / "alice.key"
    path.touch(mode=0o600)
    path.write_text(after(page, "\nis\n") + "\n", encoding="utf-8")
    opened = keys.unlock(path, after(page, "under the passphrase"))
    assert opened.public_key == after(page, "Public key:")
    assert opened._private.private_bytes_raw() == SEED


def test_every_key_of_a_payload_is_documented(page: str) -> None:
    documented = [row[0].strip("`") for row in table(page, "### The keys")]
    assert documented == list(json.loads(after(page, "\nPayload:")))


def test_every_purpose_is_documented_with_its_fields(page: str) -> None:
    lifetimes = {"7 days": timedelta(days=7), "10 minutes": timedelta(minutes=10)}
    documented = {
        row[0].strip("`"): (*(re.findall(r"`(\w+)`", cell) for cell in row[1:3]), lifetimes[row[3]])
        for row in table(page, "### The purposes")
    }
    known = {
        purpose.value: (
            sorted(payload._FORMS[purpose].needed),
            sorted(payload._FORMS[purpose].allowed),
            purpose.lifetime,
        )
        for purpose in Purpose
    }
    assert documented == known


def test_every_key_of_a_key_file_is_documented(page: str) -> None:
    documented = {name for row in table(page, "## The key file") for name in re.findall(r"`(\w+)`", row[0])}
    assert documented == set(json.loads(after(page, "\nis\n")))


def test_the_stated_entropy_is_that_of_the_list(page: str) -> None:
    stated = re.search(r"six different words of a list of ([\d,]+) \((\d+) bits each\)", page)
    assert stated is not None
    assert int(stated[1].replace(",", "")) == len(passphrases.words())
    assert float(stated[2]) == passphrases.WORD_BITS
