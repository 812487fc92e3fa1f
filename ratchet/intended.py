"""Is an operation that was cut short still the one that was agreed to? Its row can have been rewritten meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..reviewing.payload import Purpose
from . import experiments, prior_version
from .context import Context
from .journal import Kind, Operation
from .signing import signed_claims
from .signing.signed_claims import APPROVING

if TYPE_CHECKING:
    from sqlalchemy import Connection

_Change = tuple[str | None, str | None, str | None, str | None]
"""Profile, path, base and candidate."""


def is_intended(context: Context, operation: Operation) -> bool:
    """Whether file and bytes are those that were signed for; of an unsigned approval, those of the experiment.

    Raises UnknownExperiment, StoreCorrupt when what a revert restores is not known any more.
    """
    experiment = experiments.get(context, operation.experiment_id)
    with context.store.read() as tx:
        agreed = _agreed(tx, experiment)
        forced = {claim.found_sha256 for claim in signed_claims.claims(tx, experiment.id, Purpose.FORCE)}
    here = [one for one in agreed if one[:2] == (operation.profile, operation.relpath)]
    bases, candidates = {one[2] for one in here}, {one[3] for one in here}
    if operation.kind == Kind.APPLY:
        return operation.new_sha256 in candidates and operation.expected_sha256 in bases | forced
    return (
        operation.expected_sha256 in candidates | forced
        and operation.new_sha256 == prior_version.load(context, experiment).prior_sha256
    )


def _agreed(tx: Connection, experiment: experiments.Experiment) -> list[_Change]:
    signed = [
        (one.profile, one.relpath, one.base_sha256, one.candidate_sha256)
        for one in signed_claims.claims(tx, experiment.id, *APPROVING)
    ]
    if signed or signed_claims.must_exist(tx, experiment.id):
        return list(signed)
    stored = (experiment.profile, experiment.target_relpath, experiment.base_sha256, experiment.candidate_sha256)
    return [stored]
