"""What stood in a file before a change, which a revert restores: what was signed, not what the newest row says.

Anybody who can write to the database can add a snapshot, and a live change is taken back without a signature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import schema
from .._db import fetch
from ..errors import StoreCorrupt
from ..reviewing.payload import Purpose
from . import events
from .audit import chain
from .signing import signed_claims
from .signing.signed_claims import APPROVING
from .states import State

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from .context import Context
    from .experiments import Experiment

_FORCED = ", forced: "


@dataclass(frozen=True)
class PriorVersion:
    """One snapshot: the file's SHA-256 (None: there was no file) and its mode."""

    id: int
    prior_sha256: str | None
    mode: int | None


def load(context: Context, experiment: Experiment) -> PriorVersion:
    """What ``experiment`` replaced: its base, or what a force wrote over. Snapshots that say otherwise make an event.

    Raises StoreCorrupt when no snapshot says the right thing.
    """
    with context.store.read() as tx:
        found = fetch(tx, PriorVersion, schema.snapshots, "WHERE experiment_id = ? ORDER BY id", experiment.id)
        possible = _possible(tx, experiment, found)
    fitting = [one for one in found if one.prior_sha256 in possible]
    if len(found) != 1 or not fitting:
        _note_unexpected(context, experiment, found)
    if not fitting:
        raise StoreCorrupt(
            f"What stood there before experiment {experiment.id} is not stored any more; nothing was written. Somebody "
            "edited the database: look at 'hermes ratchet audit verify', and restore the file from its git history.",
            experiment_id=experiment.id,
        )
    return fitting[0]


def forced(reason: str) -> str:
    """How the reason of a forced step goes on."""
    return f"{_FORCED}{reason}"


def _note_unexpected(context: Context, experiment: Experiment, found: list[PriorVersion]) -> None:
    with context.store.write() as tx:
        events.emit(
            tx,
            "snapshot.unexpected",
            profile=experiment.profile,
            experiment_id=experiment.id,
            snapshots=[one.prior_sha256 for one in found],
        )


def _possible(tx: Connection, experiment: Experiment, found: list[PriorVersion]) -> set[str | None]:
    steps = chain.history(tx, experiment.id)
    needed = signed_claims.must_exist(tx, experiment.id)
    if not any(step.to_state == State.LIVE and _FORCED in step.reason for step in steps):
        signed = {claim.base_sha256 for claim in signed_claims.claims(tx, experiment.id, *APPROVING)}
        return signed if signed or needed else {experiment.base_sha256}
    if not needed:
        return {one.prior_sha256 for one in found[:1]}
    return {claim.found_sha256 for claim in signed_claims.claims(tx, experiment.id, Purpose.FORCE)}
