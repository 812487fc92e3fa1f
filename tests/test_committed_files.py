"""Nothing of one machine or one person gets committed: no package index, no home path, nothing shaped like a secret."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Written so that no pattern matches itself here.
PATTERNS = {
    "package index": r"pypi\.(?:org)|python(?:hosted)\.org|registry\.(?:npmjs)|(?:index)-url|(?:find)-links",
    "path of a home": r"(?<![\w<>}.~$-])/(?:home|Users|root|work)/\w",
    "API key": r"\b(?:sk|pk|rk)-(?:[a-z]+-)?[A-Za-z0-9]{16,}|\bAIza[\w-]{30,}|\bAKIA[0-9A-Z]{16}\b",
    "access token": r"\bgh[pousr]_[A-Za-z0-9]{20,}|\bglpat-[\w-]{16,}|\bxox[abprs]-[\w-]{10,}|\bhf_[A-Za-z0-9]{20,}",
    "web token": r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}",
    "private key": r"-{5}BEGIN (?:[A-Z]+ )*PRIVATE KEY",
}


@pytest.mark.parametrize("what", PATTERNS)
def test_no_committed_file_holds_a(what: str, tree: list[str]) -> None:
    pattern = re.compile(PATTERNS[what])
    found = [
        f"{name}:{number}"
        for name in tree
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("what", "sample"),
    [
        ("package index", "https://pypi." + "org/simple"),
        ("path of a home", 'open("/home' + '/somebody/x")'),
        ("API key", "sk-" + "a1" * 10),
        ("access token", "gh" + "p_" + "a1" * 12),
        ("web token", "ey" + "J" + "a" * 12 + "." + "ey" + "J" + "b" * 12),
        ("private key", "-----BEGIN " + "PRIVATE KEY-----"),
    ],
)
def test_the_patterns_find_a(what: str, sample: str) -> None:
    assert re.search(PATTERNS[what], sample)
