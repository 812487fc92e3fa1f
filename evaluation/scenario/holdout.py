"""The held-out set of a profile as a thing that wears out: its version, how often it was asked, and its rotation.

Only a rotation makes a new version. Scenarios may be added and deleted in between: whoever has the set asked again and
again is counted against it all the same.
"""

from __future__ import annotations

import hashlib
import json
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select, update

from ... import clock, schema
from ..._db import as_record
from ...errors import Conflict
from ...ratchet import events
from ...ratchet.actor import Actor
from ...ratchet.context import Context
from ...ratchet.experiments import Experiment
from ...ratchet.signing import consent
from ...reviewing.challenges import Signed
from ...reviewing.payload import Claim, Purpose
from . import likeness
from .scenarios import Scenario, holdout_set, train_set

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ..jobs import Job


class NothingToRotate(Conflict):
    """Too few scenarios to hold any of them out."""

    code = "nothing_to_rotate"


@dataclass(frozen=True)
class Confirmation:
    """What a change came to on one version of the held-out set. ``p`` is None when nothing gave a result."""

    id: int
    profile: str
    version: int
    experiment_id: int
    change_sha256: str
    baseline_run_id: int
    candidate_run_id: int
    scenario_set_hash: str
    p: float | None
    level: float | None
    verdict: str
    created_at: str


@dataclass(frozen=True)
class Read:
    """A job that began to ask a version of the held-out set about a change."""

    job_id: int
    created_at: str


@dataclass(frozen=True)
class Usage:
    """How worn a held-out set is. ``since`` is None for the first version; ``reveals`` are unlocks by reviewers."""

    profile: str
    version: int
    since: str | None
    scenarios: int
    confirmations: int
    planned: int
    reveals: int


@dataclass(frozen=True)
class Rotation:
    """What changed sides, as ids of scenarios."""

    profile: str
    version: int
    released: tuple[int, ...]
    held_out: tuple[int, ...]


def version(tx: Connection, profile: str) -> int:
    """The version of the held-out set in use, counted from 1."""
    table = schema.holdout_rotations
    newest = tx.execute(select(func.max(table.c.version)).where(table.c.profile == profile)).scalar_one()
    return int(newest or 1)


def change_sha256(experiment: Experiment) -> str:
    """One name for a change wherever it is proposed again: the same bytes in the same file."""
    parts = (experiment.target_relpath, experiment.base_sha256 or "", experiment.candidate_sha256)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def asked_by_others(tx: Connection, profile: str, number: int, change: str) -> list[str]:
    """The other changes that this version was ever asked about, whether or not that came to an end."""
    table = schema.holdout_reads
    asked = (table.c.profile == profile) & (table.c.version == number) & (table.c.change_sha256 != change)
    return list(tx.execute(select(table.c.change_sha256).where(asked).distinct()).scalars())


def earlier_p_values(tx: Connection, profile: str, number: int, change: str) -> tuple[float, ...]:
    """The p-values of all other changes asked about; 1 for one that was broken off or gave no result."""
    table = schema.confirmations
    mine = (table.c.profile == profile) & (table.c.version == number)
    known = {row.change_sha256: row.p for row in tx.execute(select(table.c.change_sha256, table.c.p).where(mine))}
    found = (known.get(other) for other in asked_by_others(tx, profile, number, change))
    return tuple(1.0 if p is None else p for p in found)


def confirmed(tx: Connection, profile: str, number: int, change: str) -> Confirmation | None:
    """What this very change came to on this version, None before it was confirmed."""
    table = schema.confirmations
    mine = (table.c.profile == profile) & (table.c.version == number) & (table.c.change_sha256 == change)
    row = tx.execute(select(table).where(mine)).one_or_none()
    return None if row is None else as_record(Confirmation, row)


def reads_of(tx: Connection, profile: str, number: int, change: str) -> list[Read]:
    """Every job that asked this version about this very change, oldest first, whatever experiment it was for."""
    table = schema.holdout_reads
    mine = (table.c.profile == profile) & (table.c.version == number) & (table.c.change_sha256 == change)
    rows = tx.execute(select(table.c.job_id, table.c.created_at).where(mine).order_by(table.c.id))
    return [Read(row.job_id, row.created_at) for row in rows]


def read_by(tx: Connection, job: Job) -> int | None:
    """The version that a job asks already; None before it does."""
    table = schema.holdout_reads
    newest = select(table.c.version).where(table.c.job_id == job.id).order_by(table.c.id.desc()).limit(1)
    found = tx.execute(newest).scalar_one_or_none()
    return None if found is None else int(found)


def record_read(tx: Connection, job: Job, experiment: Experiment, number: int) -> None:
    """Write down that a confirmation begins; it counts from now on."""
    row = {
        "profile": job.profile,
        "version": number,
        "experiment_id": experiment.id,
        "job_id": job.id,
        "change_sha256": change_sha256(experiment),
        "created_at": clock.stamp(),
    }
    tx.execute(insert(schema.holdout_reads).values(row))
    ids = {"experiment_id": experiment.id, "job_id": job.id}
    events.emit(tx, "holdout.asked", profile=job.profile, **ids, version=number)


def keep(
    tx: Connection,
    experiment: Experiment,
    number: int,
    run_ids: tuple[int, int],
    scenario_set_hash: str,
    p: float | None,
    level: float | None,
    verdict: str,
) -> None:
    """Keep what a confirmation came to, for this change and against later ones. ``run_ids``: baseline, candidate."""
    row = {
        "profile": experiment.profile,
        "version": number,
        "experiment_id": experiment.id,
        "change_sha256": change_sha256(experiment),
        "baseline_run_id": run_ids[0],
        "candidate_run_id": run_ids[1],
        "scenario_set_hash": scenario_set_hash,
        "p": p,
        "level": level,
        "verdict": verdict,
        "created_at": clock.stamp(),
    }
    tx.execute(insert(schema.confirmations).values(row))


def usage(context: Context, profile: str) -> Usage:
    """How worn the held-out set of a profile is. Raises UnknownProfile."""
    context.home(profile)
    with context.store.read() as tx:
        return used(tx, profile, context.settings.evaluation.confirmations)


def used(tx: Connection, profile: str, planned: int) -> Usage:
    """The same within a transaction."""
    number = version(tx, profile)
    rotations, signatures = schema.holdout_rotations, schema.signatures
    begun = (rotations.c.profile == profile) & (rotations.c.version == number)
    since = tx.execute(select(rotations.c.created_at).where(begun)).scalar_one_or_none()
    revealed = (signatures.c.purpose == Purpose.REVEAL_HOLDOUT.value) & (signatures.c.profile == profile)
    seen = select(func.count()).select_from(signatures).where(revealed, signatures.c.created_at >= (since or ""))
    return Usage(
        profile=profile,
        version=number,
        since=since,
        scenarios=len(holdout_set(tx, profile)),
        confirmations=len(asked_by_others(tx, profile, number, "")),
        planned=planned,
        reveals=int(tx.execute(seen).scalar_one()),
    )


def claim_to_rotate(profile: str) -> Claim:
    """What a reviewer signs before held-out scenarios are shown to everybody."""
    return Claim(purpose=Purpose.ROTATE_HOLDOUT, profile=profile)


def holds_any_out(context: Context, profile: str) -> bool:
    """Whether a rotation would reveal anything, and so needs a signature."""
    context.home(profile)
    with context.store.read() as tx:
        return bool(holdout_set(tx, profile))


def rotate(context: Context, profile: str, actor: Actor, signed: Signed | None = None) -> Rotation:
    """Draw another held-out set, by lot, from what was train; what was held out becomes train. A new version begins.

    Scenarios that are alike move together, and critical ones like all others. Raises UnknownProfile, NothingToRotate,
    and where scenarios are held out, which this reveals, what :func:`consent.require` does.
    """
    reveals = holds_any_out(context, profile)
    purpose = Purpose.ROTATE_HOLDOUT
    attempt = consent.attempt(context, actor, purpose, signed) if reveals else context.store.write()
    with attempt as tx:
        if reveals:
            actor = consent.require(context, tx, claim_to_rotate(profile), actor, signed).actor
        train, holdout = train_set(tx, profile), holdout_set(tx, profile)
        seed = secrets.token_hex(8)
        chosen = _drawn(train, holdout, random.Random(seed))  # noqa: S311 - a lot, not a secret
        if not chosen:
            raise NothingToRotate(
                f"Profile '{profile}' has {len(train)} scenarios that could be held out, which is too few: add some "
                "with 'hermes ratchet scenario add', then try again."
            )
        _move(tx, [one.id for one in holdout], 0)
        _move(tx, [one.id for one in chosen], 1)
        return _kept(tx, profile, holdout, chosen, seed, actor)


def _drawn(train: Sequence[Scenario], holdout: Sequence[Scenario], lot: random.Random) -> list[Scenario]:
    """As many as were held out, else half of all; none that is like what is revealed, and half of train stays train."""
    fresh = [group for group in likeness.groups(train) if len(likeness.apart_from(group, holdout)) == len(group)]
    wanted = min(len(holdout) or len(train), len(train) // 2)
    lot.shuffle(fresh)
    chosen: list[Scenario] = []
    for group in fresh:
        if len(chosen) + len(group) <= wanted:
            chosen += group
    return chosen


def _move(tx: Connection, ids: Sequence[int], side: int) -> None:
    table = schema.scenarios
    tx.execute(update(table).where(table.c.id.in_(ids)).values(holdout=side, updated_at=clock.stamp()))


def _kept(
    tx: Connection, profile: str, released: Sequence[Scenario], chosen: Sequence[Scenario], seed: str, actor: Actor
) -> Rotation:
    found = Rotation(
        profile=profile,
        version=version(tx, profile) + 1,
        released=tuple(sorted(one.id for one in released)),
        held_out=tuple(sorted(one.id for one in chosen)),
    )
    row = {
        "profile": profile,
        "version": found.version,
        "released": json.dumps(found.released),
        "held_out": json.dumps(found.held_out),
        "seed": seed,
        "actor": actor.name,
        "principal": actor.principal,
        "created_at": clock.stamp(),
    }
    tx.execute(insert(schema.holdout_rotations).values(row))
    counts = {"released": len(released), "held_out": len(chosen)}
    events.emit(tx, "holdout.rotated", profile=profile, version=found.version, actor=actor.name, **counts)
    return found
