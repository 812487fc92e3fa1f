"""Tells callers apart by their address, and counts who sends wrong tokens; what it remembers has a fixed size."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

WITHIN_S = 60.0
MOST_WRONG = 20
"""Wrong tokens of one caller within that time; the next ones are told to wait."""
MOST_CALLERS = 1_000


@lru_cache(MOST_CALLERS)
def caller(address: str) -> str:
    """Whom an address stands for: this machine, itself, or for IPv6 its /64, which is what one customer is given."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.is_loopback:
        return "this machine"
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
    return str(found)


class WrongTokens:
    """How many wrong tokens each caller has sent lately; of more callers than it keeps, the longest silent is let go.

    Only wrong tokens are counted and held up. Nobody guesses 256 random bits; to refuse the right token as well would
    let any user of this machine, who shares the reviewer's loopback address, keep the reviewer out.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def too_many(self, address: str) -> bool:
        """Count one more of this address. Returns whether that is more than it may send for now."""
        who, now = caller(address), self._now()
        began, count = self._counts.pop(who, (now, 0))
        if now - began >= WITHIN_S:
            began, count = now, 0
        self._counts[who] = began, count + 1
        if len(self._counts) > MOST_CALLERS:
            self._counts.popitem(last=False)
        return count >= MOST_WRONG
