"""Documents keep their shape and lose their secrets, also those that only the name of a field gives away."""

from __future__ import annotations

from typing import Any

import pytest

from karpathy_self_improve.privacy import without_secrets

RANDOM = "Kx9mWq27" + "LpVt4RzNbY8cHs"
TOKEN = "gh" + "p_" + "aB3dE6gH9kL2" * 3


@pytest.mark.parametrize("name", ["password", "apiKey", "CLIENT_SECRET", "token"])
def test_a_value_is_looked_at_with_the_name_of_its_field(name: str) -> None:
    for document in ({name: RANDOM}, [{"a": {name: RANDOM}}], {name: [RANDOM]}):
        assert RANDOM not in str(without_secrets(document))
        assert name in str(without_secrets(document))


def test_what_is_no_secret_stays_as_it_is() -> None:
    document = {
        "token": "yes",
        "tokens": {"input": 3},
        "answer": 'Line one\nline "two" \\ é 日本 \ud800 \u2028 \x00',
        "password": "",
        "": RANDOM,
        "passwords": None,
        "long": "word " * 10_000,
    }
    assert without_secrets(document) == document


def test_a_name_that_is_a_secret_itself_stays_a_name() -> None:
    assert without_secrets({TOKEN: "x"}) == {TOKEN: "x"}


def test_what_is_nested_without_end_gives_way() -> None:
    deep: Any = TOKEN
    for _ in range(3_000):
        deep = [deep]
    found = str(without_secrets({"a": deep, "b": 1}))
    assert TOKEN not in found
    assert "<nested too deeply>" in found
    assert found.endswith("'b': 1}")
