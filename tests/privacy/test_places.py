"""A finding names the exact place: line, column and offsets, in characters, in any text Python can hold."""

from __future__ import annotations

import json

import pytest

from karpathy_self_improve.privacy import Finding, Identity, sanitize, scan

TOKEN = "gh" + "p_" + "aB3dE6gH9kL2" * 3
BEFORE = {"ascii": "abc ", "umlauts": "äöü ", "emoji": "😀😀 ", "surrogates": "\ud800\udfff ", "nul": "\0\0 "}


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_the_place_is_counted_in_characters(before):
    text = f"first {before}\nsecond\n{before}{TOKEN} rest"
    start = text.index(TOKEN)
    assert scan(text) == [Finding("github-token", 3, len(before) + 1, start, start + len(TOKEN))]
    clean = sanitize(text, Identity())
    assert clean.text == text.replace(TOKEN, "<github-token>")
    assert list(clean.findings) == scan(text)


def test_several_on_a_line_and_lines_between():
    text = f"{TOKEN} é {TOKEN}\n\n{TOKEN}"
    assert [(finding.line, finding.column) for finding in scan(text)] == [(1, 1), (1, 44), (3, 1)]
    assert {text[finding.start : finding.end] for finding in scan(text)} == {TOKEN}


def test_what_escapes_hide_is_placed_where_it_stands():
    text = json.dumps("é") + ' {"c": "x ' + TOKEN.replace("_", "\\u005f") + ' y"}'
    (finding,) = scan(text)
    assert text[finding.start : finding.end] == TOKEN.replace("_", "\\u005f")


def test_a_secret_within_a_secret_is_one_finding_of_the_more_telling_type():
    text = f'password = "{TOKEN}"'
    assert [finding.type for finding in scan(text)] == ["github-token"]
    assert sanitize(text, Identity()).text == 'password = "<github-token>"'
