"""One object has one text, and no other text is read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karpathy_self_improve.reviewing import canonical
from karpathy_self_improve.reviewing.canonical import NotCanonical

LONGEST = 100_000
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
VALUES = st.none() | st.integers(0, canonical.LARGEST) | st.text(st.characters(exclude_categories=("Cs",)))
OBJECTS = st.dictionaries(NAMES, VALUES)


@given(OBJECTS)
def test_what_is_written_is_read_back(fields: dict[str, canonical.Value]) -> None:
    assert canonical.decode(canonical.encode(fields), LONGEST) == fields


@given(OBJECTS, OBJECTS)
def test_two_objects_never_share_a_text(one: dict[str, canonical.Value], other: dict[str, canonical.Value]) -> None:
    assert (canonical.encode(one) == canonical.encode(other)) == (one == other)


@given(OBJECTS)
def test_the_text_is_json_in_key_order(fields: dict[str, canonical.Value]) -> None:
    assert list(json.loads(canonical.encode(fields)).items()) == sorted(fields.items())


@given(OBJECTS.filter(bool), st.data())
def test_no_other_spelling_of_the_same_object_is_read(fields: dict[str, canonical.Value], data: st.DataObject) -> None:
    order = data.draw(st.permutations(list(fields)))
    separators = data.draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    ascii_only = data.draw(st.booleans())
    shuffled = {name: fields[name] for name in order}
    text = json.dumps(shuffled, separators=separators, ensure_ascii=ascii_only).encode()
    if text == canonical.encode(fields):
        return
    with pytest.raises(NotCanonical):
        canonical.decode(text, LONGEST)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":1}',
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":-1}',
        b'{"a":-0}',
        b'{"a":9007199254740992}',
        b'{"a":true}',
        b'{"a":[]}',
        b'{"a":{}}',
        b'{"a":NaN}',
        b'{"A":1}',
        b'{"b":1,"a":1}',
        b'{"a": 1}',
        b'{"a":1}\n',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":"\\u0061"}',
        b'{"a":"\\/"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'{"a":"\\u001F"}',
        b"[1]",
        b"1",
        b"",
        b"[" * 5_000,
    ],
)
def test_everything_else_is_refused(text: bytes) -> None:
    with pytest.raises(NotCanonical):
        canonical.decode(text, LONGEST)


def test_what_is_too_long_is_not_even_parsed() -> None:
    with pytest.raises(NotCanonical, match="more than 10 bytes"):
        canonical.decode(b"[" * 11, 10)


def test_half_a_surrogate_pair_cannot_be_written() -> None:
    with pytest.raises(NotCanonical, match="surrogate"):
        canonical.encode({"a": "\ud800"})
