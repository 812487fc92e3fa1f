"""Passphrases that are generated are strong, and a person's own one has to be."""

from __future__ import annotations

import math

import pytest

from karpathy_self_improve.reviewing import passphrases
from karpathy_self_improve.reviewing.refusals import PassphraseRefused


def test_the_list_has_the_words_its_entropy_is_stated_for() -> None:
    words = passphrases.words()
    assert len(words) == len(set(words)) == 2_048
    assert math.log2(len(words)) == passphrases.WORD_BITS
    assert all(3 <= len(word) <= 7 and word.isascii() and word.isalpha() and word.islower() for word in words)


def test_generated_passphrases_have_six_different_words_of_the_list() -> None:
    made = [passphrases.generate().split(" ") for _ in range(300)]
    assert {len(set(words)) for words in made} == {6}
    assert {word for words in made for word in words} <= set(passphrases.words())
    assert len({word for words in made for word in words}) > 900  # drawn from all of the list


def test_every_generated_passphrase_passes_as_a_persons_own() -> None:
    for _ in range(300):
        passphrases.check_strong(passphrases.generate())


@pytest.mark.parametrize(
    "own",
    [
        "kettle violin harbor mosaic tundra pebble",
        "Kettle-violin.harbor_mosaic/tundra pebble!",
        "xK9#mQ2$vL7!pR",
        "7f!Qz@1m^W8&dT",
        "\u00fcberlaufventil \u00d6lkanne Z\u00e4hler M\u00f6rtel Gr\u00fcnkohl S\u00e4ge",
    ],
)
def test_a_strong_own_passphrase_is_taken(own: str) -> None:
    passphrases.check_strong(own)


@pytest.mark.parametrize(
    "own",
    [
        "",
        "secret",
        "correct horse battery staple",
        "password password password password password password",
        "Passw0rd!Passw0rd!",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "1234567890" * 10,
        "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!",
        "2026-11-20 2026-11-21",
        "                                        ",
        "x" * 1_025,
    ],
)
def test_a_weak_own_passphrase_is_refused(own: str) -> None:
    with pytest.raises(PassphraseRefused):
        passphrases.check_strong(own)


def test_the_same_keys_pressed_elsewhere_are_the_same_passphrase() -> None:
    assert passphrases.normal("u\u0308ber") == passphrases.normal("\u00fcber")
