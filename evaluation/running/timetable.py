"""In which order the runs of a job go, and when the last of them is expected to end."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import select, update
from sqlalchemy.dialects.sqlite import insert

from ... import clock, schema
from .exposure import Arm

if TYPE_CHECKING:
    from sqlalchemy import Connection

_TABLE = schema.job_schedules
Item = TypeVar("Item")


def seed_of(tx: Connection, job_id: int) -> int:
    """The seed of a job's order, drawn when it is first asked for and the same ever after."""
    tx.execute(insert(_TABLE).values(job_id=job_id, seed=secrets.randbits(31)).on_conflict_do_nothing())
    return int(tx.execute(select(_TABLE.c.seed).where(_TABLE.c.job_id == job_id)).scalar_one())


def order(items: Sequence[Item], repeats: int, seed: int) -> Iterator[tuple[Item, Arm, int]]:
    """Every item in both arms, ``repeats`` times, in an order that only the seed decides.

    The two arms of an item come next to each other, so that both meet the same hour of the day, and which of them is
    first is drawn; each repeat goes through all items before the next begins.
    """
    drawn = random.Random(seed)  # noqa: S311 - an order, not a secret
    for repeat in range(repeats):
        for item in drawn.sample(items, len(items)):
            for arm in drawn.sample(list(Arm), len(Arm)):
                yield item, arm, repeat


class Pace:
    """How fast runs end in this process, from its start on: what a job did before it was interrupted says nothing."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._ended = 0

    def note(self, tx: Connection, job_id: int, ended: int, left: int, retries: int) -> None:
        """Count ``ended`` more runs and what was tried again among them; say when the ``left`` ones will have ended."""
        self._ended += ended
        each_s = (time.monotonic() - self._started) / self._ended if self._ended else None
        expected = None if each_s is None else clock.stamp(clock.now() + timedelta(seconds=each_s * left))
        chosen = _TABLE.c.job_id == job_id
        tx.execute(update(_TABLE).where(chosen).values(expected_at=expected, retries=_TABLE.c.retries + retries))
