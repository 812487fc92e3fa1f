"""Secrets of every type are found and gone, whatever they stand in; what is left is the rest of the text."""

from __future__ import annotations

import json
import random

import pytest

from karpathy_self_improve.privacy import Identity, sanitize, scan

NOBODY = Identity()
TOKEN = "gh" + "p_" + "aB3dE6gH9kL2" * 3
AWS_ID = "AKI" + "A" + "QWERTY7ASDFGH3ZX"
TYPED = {
    "anthropic": "anthropic-key",
    "openrouter": "openrouter-key",
    "openai project": "openai-key",
    "github fine-grained": "github-token",
    "aws id": "aws-access-key",
    "aws secret": "aws-secret",
    "slack webhook": "slack-webhook",
    "jwt": "jwt",
    "basic": "basic-credentials",
    "bearer": "bearer-token",
    "address": "url-password",
    "discord": "discord-token",
    "hex beside a key word": "hex-key",
    "json password": "password",
    "json apiKey": "api-key",
    "client_secret": "secret",
    "token in settings": "token",
    "openssh key": "private-key",
}


@pytest.fixture(scope="module")
def cases(planting):
    return list(planting.planted(seed=20, rounds=1))


def test_ninety_nine_in_a_hundred_are_found_and_nothing_of_them_is_left(cases):
    missed = [
        (case.type, case.surroundings)
        for case in cases
        if not scan(case.text) or case.left_in(sanitize(case.text, NOBODY).text)
    ]
    assert len(missed) <= 0.01 * len(cases), missed


def test_no_type_is_missed_altogether(cases, planting):
    assert {case.type for case in cases if scan(case.text)} == set(planting.TYPES)


def test_what_detect_secrets_knows_by_its_tokens_is_found_too(cases):
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    guesses = {"Base64HighEntropyString", "HexHighEntropyString", "KeywordDetector"}
    kinds = get_mapping_from_secret_type_to_class().values()
    plugins = [kind() for kind in kinds if kind.__name__ not in guesses]
    only_theirs = [
        case.type
        for case in cases
        if not scan(case.text)
        and any(plugin.analyze_line("x", line, 1) for line in case.text.splitlines() for plugin in plugins)
    ]
    assert only_theirs == []


@pytest.mark.parametrize("kind", TYPED)
def test_a_placeholder_says_what_stood_there(kind, planting):
    rolled = planting.TYPES[kind](random.Random(3)).replace(planting.FROM, "").replace(planting.TO, "")
    clean = sanitize(f"before {rolled} after", NOBODY)
    assert [finding.type for finding in clean.findings] == [TYPED[kind]]
    assert f"<{TYPED[kind]}>" in clean.text
    assert clean.text.startswith("before ")
    assert clean.text.endswith(" after")


def test_json_stays_json(cases):
    for case in cases:
        if case.surroundings.startswith("json"):
            json.loads(sanitize(case.text, NOBODY).text)


def test_sanitizing_twice_changes_nothing(cases):
    for case in cases:
        once = sanitize(case.text, NOBODY).text
        assert sanitize(once, NOBODY).text == once


def test_a_finding_never_shows_what_was_found(cases):
    for case in cases:
        assert not case.left_in(repr(scan(case.text)))


def test_a_placeholder_that_brings_a_key_word_closer_changes_nothing_later():
    text = f"api key {TOKEN} {'0123456789abcdef' * 2}"
    once = sanitize(text, NOBODY).text
    assert sanitize(once, NOBODY).text == once


@pytest.mark.parametrize("before", ["\\n", "\\t", "%3D", "\\u003e", "\x1b[32m", "(", "=", "-", "'"])
def test_escapes_and_signs_do_not_hide_the_beginning_of_a_token(before):
    assert [finding.type for finding in scan(f"text{before}{TOKEN}")] == ["github-token"]


def test_a_private_key_cut_off_in_the_middle_goes_as_far_as_it_goes():
    body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 4
    clean = sanitize(f"x\n{'-' * 5}BEGIN " + f"PRIVATE KEY{'-' * 5}\n{body}\n{body[:40]}", NOBODY)
    assert clean.text == "x\n<private-key>"


def test_a_short_key_in_base64_is_found():
    import base64

    assert [finding.type for finding in scan(base64.b64encode(AWS_ID.encode()).decode())] == ["aws-access-key"]


def test_base64_at_the_end_of_a_path_is_found():
    import base64

    hidden = base64.b64encode(f"the token {TOKEN} here".encode()).decode()
    assert [finding.type for finding in scan(f"https://example.com/abc/{hidden}")] == ["github-token"]


def test_a_value_in_marks_may_hold_marks():
    text = json.dumps({"password": "Xa7'k\"q9`Lm2$w"})
    assert sanitize(text, NOBODY).text == '{"password": "<password>"}'
    nested = json.dumps({"text": text})
    assert json.loads(json.loads(sanitize(nested, NOBODY).text)["text"]) == {"password": "<password>"}
