"""Writes the service unit with the fingerprint of today's reviewers: the set that was pinned is the one that counts."""

from __future__ import annotations

from .. import _db, host
from ..errors import ApprovalRefused
from ..ratchet import events
from ..ratchet.context import Context, open_context
from ..reviewing import reviewers
from ..reviewing.refusals import NoReviewer
from . import service_unit
from .service_unit import ServiceUnit


def install_service() -> tuple[ServiceUnit, str | None]:
    """The unit that was written, and the fingerprint that it pins; None while there is no reviewer.

    Raises ApprovalRefused from an agent's tool shell, ReviewersTampered, NoReviewer when reviewers are pinned and there
    are none any more, and what :func:`service_unit.install` does.
    """
    if host.inside_agent():
        raise ApprovalRefused(
            "An agent cannot pin who approves its changes. Run this in a terminal of your own: hermes ratchet "
            "install-service"
        )
    if not _db.default_path().exists():
        return service_unit.install(), None
    context = open_context()
    try:
        return _installed(context)
    finally:
        context.store.close()


def _installed(context: Context) -> tuple[ServiceUnit, str | None]:
    with context.store.read() as tx:
        current = reviewers.load(tx)
    trouble = current.trouble(None)
    if trouble is not None and (context.pin is not None or not isinstance(trouble, NoReviewer)):
        raise trouble
    fingerprint = current.fingerprint if current.members else None
    unit = service_unit.install(fingerprint)
    if unit.changed:
        with context.store.write() as tx:
            events.emit(tx, "reviewers.pinned", fingerprint=fingerprint, unit=str(unit.path))
    return unit, fingerprint
