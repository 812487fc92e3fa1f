"""Many patterns looked for at once, in one pass whose time is linear in the text.

The set is compiled for Vectorscan (the portable fork of Hyperscan: X. Wang et al., "Hyperscan: A Fast Multi-pattern
Regex Matcher for Modern CPUs", NSDI 2019). It has no look-around, so a pattern here is a trigger: it says where a rule
has to look more closely.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Trigger:
    """A pattern for the set. ``width`` is how many bytes it matches, or None when only the set can tell."""

    pattern: bytes
    width: int | None = None


class TriggerSet:
    """The compiled patterns. One set serves any number of threads."""

    def __init__(self, triggers: Sequence[Trigger]) -> None:
        import hyperscan

        self._widths = [trigger.width for trigger in triggers]
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        self._database.compile(
            expressions=[trigger.pattern for trigger in triggers],
            ids=list(range(len(triggers))),
            elements=len(triggers),
            # To know where a match began costs a little: asked for only where the width does not tell.
            flags=[
                hyperscan.HS_FLAG_DOTALL | (hyperscan.HS_FLAG_SOM_LEFTMOST if trigger.width is None else 0)
                for trigger in triggers
            ],
        )
        self._new_scratch = hyperscan.Scratch
        self._own = threading.local()

    def scan(self, data: bytes, on_hit: Callable[[int, int], None]) -> None:
        """Calls ``on_hit(trigger, start)`` for every hit, in the order in which the hits end."""

        def handle(trigger: int, start: int, end: int, _flags: int, _context: object) -> None:
            width = self._widths[trigger]
            on_hit(trigger, start if width is None else end - width)

        self._database.scan(data, match_event_handler=handle, scratch=self._scratch())

    def _scratch(self) -> Any:
        """Vectorscan's working memory: one per thread, because a scan lets other threads run."""
        if not hasattr(self._own, "scratch"):
            self._own.scratch = self._new_scratch(self._database)
        return self._own.scratch
