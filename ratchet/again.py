"""A change that did not get through, proposed once more on today's file."""

from __future__ import annotations

from . import experiments
from .actor import Actor
from .context import Context
from .experiments import Experiment


def propose_again(context: Context, experiment_id: int, actor: Actor) -> Experiment:
    """A new proposal with the same bytes as an earlier one, on today's file; the earlier one stays as it is.

    Raises UnknownExperiment, UnknownProfile, PathRefused, ChangeRefused when that is no small change any more,
    FileDrifted, GitRefused, GitUnavailable.
    """
    earlier = experiments.get(context, experiment_id)
    _, candidate = experiments.contents(context, earlier)
    return experiments.propose(context, earlier.profile, earlier.target_relpath, candidate, earlier.rationale, actor)
