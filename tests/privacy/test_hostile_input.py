"""Texts made to make a scan slow or wrong: each ends soon, because no text costs more than its length."""

from __future__ import annotations

import base64
import json
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karpathy_self_improve.privacy import Identity, sanitize, scan

NOBODY = Identity()
SOMEBODY = Identity(user="ada-lovelace", host="engine.example.org", home="/data/ada-lovelace")
TOKEN = "gh" + "p_" + "aB3dE6gH9kL2" * 3
ID = "AKI" + "A"
HOME = "/ho" + "me/"
BEGIN = "-----BEGIN " + "PRIVATE KEY-----"
SIZE = 400_000
# Steps that grow with the square of such a text would take an hour.
FLOODS = {
    "one letter": "a",
    "beginnings of tokens": ID,
    "nearly tokens": "gh" + "p_" + "a" * 22 + " ",
    "beginnings of web tokens": "-eyJaaaaaaaaa",
    "parts of web tokens": "eyJaaaaaaaaa.",
    "assignments": "token=",
    "assignments in marks": 'token="',
    "assignments in all marks": "token=\"token='token=`",
    "escapes": "\\u005f",
    "backslashes": "\\",
    "key labels": BEGIN,
    "key labels with bodies": BEGIN + "A" * 30,
    "at signs": "a@",
    "domains": "a@b.",
    "addresses": "http://a:",
    "home folders": HOME,
    "base64 lines": "A" * 76 + "\n",
    "escaped base64 lines": "A" * 76 + "\\n",
    "short base64": "A" * 31 + "/ ",
    "hexadecimal": "0123456789abcdef",
    "headers": "bearer ",
    "brackets": '{"a":[',
    "line breaks": "\n",
    "characters without width": "\u200ba",
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_on_one_line_is_scanned_to_its_end(flood):
    unit = FLOODS[flood]
    text = unit * (SIZE // len(unit)) + "\n " + TOKEN
    assert scan(text)[-1].end == len(text)


def test_a_mask_of_findings_is_not_mistaken_for_one():
    text = f"{TOKEN}\n" * 5000
    assert sanitize(text, NOBODY).text == "<github-token>\n" * 5000


def test_json_in_json_is_seen_through_at_any_depth():
    text = f"password: x {TOKEN}"
    for _ in range(10):
        text = json.dumps({"content": text})
    assert [finding.type for finding in scan(text)] == ["github-token"]


def test_base64_in_base64_is_seen_through_three_deep():
    text = TOKEN
    for _ in range(3):
        text = base64.b64encode(text.encode()).decode()
    assert [finding.type for finding in scan(text)] == ["github-token"]


INVISIBLE = ["\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u200f"]


@pytest.mark.parametrize("letter", INVISIBLE, ids=[f"U+{ord(one):04X}" for one in INVISIBLE])
def test_characters_that_show_as_nothing_hide_nothing(letter):
    broken = f"{letter}x{letter} {TOKEN[:10]}{letter}{TOKEN[10:20]}{letter}{letter}{TOKEN[20:]} y{letter}"
    assert sanitize(broken, NOBODY).text == f"{letter}x{letter} <github-token> y{letter}"


def test_bytes_that_are_no_utf_8_can_be_scanned():
    text = (b"\xff\xfe\x80" + TOKEN.encode() + b" \xc3").decode("utf-8", "surrogateescape")
    clean = sanitize(text, NOBODY)
    assert clean.text.encode("utf-8", "surrogateescape") == b"\xff\xfe\x80<github-token> \xc3"


def test_threads_do_not_disturb_each_other():
    texts = [f"{'x ' * 50_000}{TOKEN}{' y' * number}" for number in range(8)]
    found: dict[int, int] = {}

    def work(number: int) -> None:
        found[number] = sum(len(scan(texts[number])) for _ in range(5))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(len(texts)), 5)


FRAGMENTS = [
    *(f" {TOKEN} ", ID + "QWERTY7ASDFGH3ZX", "password", "token", "api_key", "secret", "Bearer ", "is ", "--password "),
    *("=", ": ", '"', "'", "\\", "\\n", "\\u005f", "\n", " ", "<", ">", "</", "/", "@", ".", ",", "-", "{", "}"),
    "key ",
    *("a1B2c3D4e5F6g7", "hunter22", "0123456789abcdef" * 2, " bob@example.com ", HOME + "bob", "http://u:", "@host"),
    *("<password>", "<github-token>", "aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ=", BEGIN, "\ud800", "ada-lovelace", "x", "😀"),
    "\u200b",
]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=24).map("".join))
def test_sanitizing_twice_changes_nothing_in_any_mixture(text):
    once = sanitize(text, SOMEBODY).text
    assert sanitize(once, SOMEBODY).text == once
    assert TOKEN not in once
