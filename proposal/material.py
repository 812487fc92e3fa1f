"""Everything one request works with: the file as it is, what went wrong with it, and what was tried before."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from .. import host
from ..evaluation.gating import pairing
from ..evaluation.judging import identities
from ..evaluation.judging.judge import JUDGE, PROPOSER
from ..evaluation.scenario import holdout
from ..evaluation.scenario.scenarios import train_set
from ..evaluation.scenario.starters import ensure_starters
from ..host import ModelRoute
from ..ratchet import experiments
from ..ratchet.context import Context
from ..stats import holm, sign_test
from . import failures
from .failures import Failure
from .skips import Skipped
from .tried import Past, past


@dataclass(frozen=True)
class Material:
    """What a draft is made from and held against."""

    profile: str
    relpath: str
    base: bytes
    base_sha256: str
    failures: tuple[Failure, ...]
    past: Past
    route: ModelRoute

    @property
    def text(self) -> str:
        return self.base.decode("utf-8")

    @property
    def sha256(self) -> str:
        """Of all that could lead the model to another draft: the same again leads nowhere new.

        Changes that were tried and not kept count; drafts that were refused do not, they come from the same.
        """
        known = [self.base_sha256, self.route.model, [one.fingerprint for one in self.failures]]
        ended = [one.experiment_id for one in self.past.tried]
        return hashlib.sha256(json.dumps([*known, ended]).encode()).hexdigest()

    @property
    def observed(self) -> tuple[str, ...]:
        """All words of others in it."""
        return tuple(text for one in self.failures for text in one.texts if text)


def collect(context: Context, profile: str, relpath: str, *, to_propose: bool = True) -> Material:
    """The material for one file of a profile.

    Raises Skipped when there is nothing to work on, or (``to_propose``) when no change could pass the gate,
    JudgeNotIndependent when the judge would judge its own proposals, UnknownProfile, PathRefused, SessionsUnavailable.
    """
    route = host.auxiliary_route(PROPOSER) or host.main_route()
    if not route.model:
        raise Skipped("no model is configured: name one in auxiliary.ratchet_proposer of the root home's config.yaml")
    if judge := host.auxiliary_route(JUDGE):
        identities.check_configured(judge.model, route.model)
    version = experiments.current_file(context, profile, relpath)
    if version.content is None or version.sha256 is None:
        raise Skipped(f"there is no {relpath} yet, and a proposer only changes what is there")
    if not _is_text(version.content):
        raise Skipped(f"{relpath} is not UTF-8, and a model can only quote text")
    _check_scenarios(context, profile, to_propose)
    found = failures.gather(context, profile, relpath, version.sha256)
    if not found:
        raise Skipped("no failures are known: no scenario failed in the newest evaluation, no session went badly")
    with context.store.read() as tx:
        tried = past(tx, profile, relpath, version.sha256)
    return Material(profile, relpath, version.content, version.sha256, tuple(found), tried, route)


def _is_text(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _check_scenarios(context: Context, profile: str, to_propose: bool) -> None:
    """Nobody should pay for a draft and its evaluation when the gate could say no good of any."""
    ensure_starters(context, profile)
    by = pairing.rules(context.settings.evaluation)
    with context.store.read() as tx:
        train = len(train_set(tx, profile))
        worn = holdout.used(tx, profile, by.planned)
    if not train:
        raise Skipped("the profile has no scenarios, so nothing could be measured: hermes ratchet scenario add")
    if not to_propose:
        return
    if context.settings.evaluation.repeats == 1:
        raise Skipped("no change could pass the gate: it takes evaluation.repeats of 2 or more to see what is steady")
    screening = sign_test.wins_needed(by.screen)
    confirming = sign_test.wins_needed(holm.level((), by.alpha, planned=by.planned))
    if train < screening or worn.scenarios < confirming:
        raise Skipped(
            f"no change could pass the gate: that takes {screening} train and {confirming} held-out scenarios, and "
            f"there are {train} and {worn.scenarios}. Add some: hermes ratchet scenario add --help"
        )
    if worn.confirmations >= worn.planned:
        raise Skipped(
            f"no change could pass the gate: the held-out set was asked about {worn.confirmations} changes, as often "
            "as planned. Hold out others: hermes ratchet scenario rotate"
        )
