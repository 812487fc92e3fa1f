"""Why a message did not reach its target; the texts name no address, which may hold a secret."""

from __future__ import annotations

from ..errors import Unavailable


class Undelivered(Unavailable):
    """It did not get there this time."""

    code = "undelivered"


class TargetRefused(Undelivered):
    """It is not sent there: the address is outside what the operator allowed."""

    code = "target_refused"
