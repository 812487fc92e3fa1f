"""What was proposed for a file before and came to nothing: told to the model, and refused when it comes again."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._db import driver
from ..privacy import sanitize
from . import held_out

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ..ratchet.atomic_change import Change

MOST_TOLD = 20
_MOST_COMPARED = 500
_WORD = re.compile(r"\w+")
_ENDED = """
SELECT id, diff, coalesce(rejection_reason, live_verdict, state) FROM experiments
WHERE profile = ? AND target_relpath = ? AND state IN ('rejected', 'reverted') ORDER BY id DESC LIMIT ?
"""
_REFUSED = """
SELECT change_sha256 FROM proposal_drafts
WHERE profile = ? AND relpath = ? AND status = 'refused' AND change_sha256 IS NOT NULL ORDER BY id DESC LIMIT ?
"""
_VERSIONS = "SELECT candidate_sha256, id FROM experiments WHERE profile = ? AND target_relpath = ? AND base_sha256 = ?"


@dataclass(frozen=True)
class Tried:
    """A change that was rejected or taken back: what it took away and put there, and why it is not there now."""

    experiment_id: int
    removed: str
    added: str
    why: str

    @property
    def key(self) -> str:
        return change_key(self.removed, self.added)


@dataclass(frozen=True)
class Past:
    """All that was tried for one file: ``tried`` newest first; ``refused`` are the keys of drafts that did not stand.

    ``versions`` are the candidates ever proposed for the file as it is, by SHA-256, with their experiments.
    """

    tried: tuple[Tried, ...]
    refused: frozenset[str]
    versions: Mapping[str, int]

    def repeats(self, key: str, candidate_sha256: str) -> str | None:
        """What a change with this key, or one to the same bytes, repeats, in words; None when it is new."""
        if candidate_sha256 in self.versions:
            return f"experiment {self.versions[candidate_sha256]}, which has the same bytes"
        for one in self.tried:
            if one.key == key:
                return f"experiment {one.experiment_id}, which was not kept ({one.why})"
        return "a draft that was refused" if key in self.refused else None

    @property
    def told(self) -> Sequence[Tried]:
        return self.tried[:MOST_TOLD]


def past(tx: Connection, profile: str, relpath: str, base_sha256: str) -> Past:
    """What was tried for a file, without what would show a held-out scenario."""
    hidden = held_out.questions(tx, profile)
    rows = driver(tx).execute(_ENDED, (profile, relpath, _MOST_COMPARED)).fetchall()
    tried = [_tried(number, diff, why) for number, diff, why in rows]
    known = driver(tx).execute(_REFUSED, (profile, relpath, _MOST_COMPARED))
    refused = frozenset(key for (key,) in known)
    versions = dict(driver(tx).execute(_VERSIONS, (profile, relpath, base_sha256)).fetchall())
    return Past(tuple(_without(hidden, one) for one in tried), refused, versions)


def change_key(removed: str, added: str) -> str:
    """One name for a change whatever its case, spacing, punctuation and markers: SHA-256 over its words."""
    return hashlib.sha256(json.dumps([_words(removed), _words(added)]).encode()).hexdigest()


def key_of(change: Change) -> str:
    """The key of a change between two versions."""
    return change_key(_text(change.removed), _text(change.added))


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def _text(lines: Iterable[bytes]) -> str:
    return b"".join(lines).decode("utf-8", "replace")


def _tried(number: int, diff: str, why: str) -> Tried:
    body = diff.splitlines(keepends=True)[2:]
    removed = "".join(line[1:] for line in body if line.startswith("-"))
    added = "".join(line[1:] for line in body if line.startswith("+"))
    return Tried(number, removed, added, sanitize(why).text)


def _without(hidden: Sequence[held_out.Question], one: Tried) -> Tried:
    """A person may have written down what a held-out scenario asks when they said why."""
    return Tried(one.experiment_id, one.removed, one.added, "") if held_out.shows(one.why, hidden) else one
