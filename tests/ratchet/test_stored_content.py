"""Stored bytes that are not what their name says never reach a file, whoever changed them in the database."""

from __future__ import annotations

import sqlite3

import pytest

from karpathy_self_improve.errors import StoreCorrupt


def test_changed_content_of_an_approved_change_is_not_applied(either) -> None:
    number = either.approved()
    before = either.content()
    candidate = either.experiment(number).candidate_sha256
    stranger = sqlite3.connect(either.context.store.path)
    stranger.executescript("DROP TRIGGER tr_blobs_no_update;")
    stranger.execute("UPDATE blobs SET content = ?, size = 4 WHERE sha256 = ?", (b"evil", candidate))
    stranger.commit()
    stranger.close()
    with pytest.raises(StoreCorrupt, match="changed"):
        either.apply(number)
    assert either.content() == before
    assert either.our_commits() == []
    assert either.experiment(number).state == "approved"
