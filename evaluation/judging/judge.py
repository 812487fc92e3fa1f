"""The judge of one evaluation: shown to be independent and to resist a planted order before it may judge anything."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ... import host
from ...errors import ModelUnavailable
from ...host import ModelReply
from ...privacy import sanitize
from . import canary, identities, prompt, verdict
from .background import all_at_once
from .votes import VOTES, Judgement, Vote, judgement

if TYPE_CHECKING:
    from ..running.runner import AgentRun

JUDGE, PROPOSER = "ratchet_judge", "ratchet_proposer"
NO_JUDGE = "no judge is configured: name a model in auxiliary.ratchet_judge of the root home's config.yaml"
_PROBE = ({"role": "user", "content": "Reply with the one word: ready"},)

Messages = Sequence[dict[str, str]]
Ask = Callable[[str, Messages], ModelReply]
"""Puts messages to the model of an auxiliary task. Raises ModelUnavailable."""


@dataclass(frozen=True)
class Call:
    """A call of a model that is no vote: one that asked who answers, or one that tried the judge."""

    purpose: str
    vote: Vote


@dataclass(frozen=True)
class Judge:
    """A judge that may judge. ``model`` is who answers in truth, and a vote of anybody else does not count."""

    run_id: str
    model: str
    proposer: str
    ask: Ask

    def judge(self, rubric: str, asked: str, run: AgentRun) -> Judgement:
        """Three votes on one run, each a request of its own; ``asked`` is what the agent was asked. Never raises."""
        return judgement(all_at_once([partial(self.vote, rubric, asked, run)] * VOTES))

    def vote(self, rubric: str, asked: str, run: AgentRun) -> Vote:
        """One vote; whatever goes wrong makes it a vote without verdict."""
        question = prompt.question(rubric, asked, run)
        try:
            reply = self.ask(JUDGE, question.messages)
        except ModelUnavailable as error:
            return Vote(None, None, error.message)
        if identities.canonical(reply.model) != identities.canonical(self.model):
            return _vote(verdict.Spoken(None, None, f"'{reply.model}' answered in place of the judge"), reply)
        return _vote(verdict.read(reply.text, question.nonce), reply)


@dataclass
class Opening:
    """Makes a judge; ``calls`` holds what that took, also when it failed, because it was paid for."""

    ask: Ask = field(default=host.ask_model)
    run_id: str = field(default_factory=lambda: secrets.token_hex(8))
    calls: list[Call] = field(default_factory=list)

    def judge(self, proposed_by: Iterable[str] = ()) -> Judge | None:
        """The judge of this machine, tried and proven; None when none is configured.

        ``proposed_by`` are models known to have written what is judged. Raises JudgeNotIndependent,
        JudgeUntrustworthy, and ModelUnavailable when the judge or the proposer does not say who it is.
        """
        configured = host.auxiliary_route(JUDGE)
        if configured is None:
            return None
        proposer = host.auxiliary_route(PROPOSER) or host.main_route()
        identities.check_configured(configured.model, proposer.model, *proposed_by)
        answered = self._probe(JUDGE)
        proposing = self._probe(PROPOSER)
        identities.check_answered(answered, proposing, *proposed_by)
        judge = Judge(self.run_id, answered, proposing, self.ask)
        self._try(judge)
        return judge

    def _probe(self, task: str) -> str:
        reply = self.ask(task, _PROBE)
        self.calls.append(Call("probe", _vote(verdict.Spoken(None, None, f"asked who answers for {task}"), reply)))
        return reply.model

    def _try(self, judge: Judge) -> None:
        """All canaries at once, so that a judge's whole answer is kept before the first wrong one is reported."""
        planted = list(canary.canaries())
        said = all_at_once([partial(judge.vote, one.rubric, one.asked, one.run) for one in planted])
        self.calls += [Call("canary", vote) for vote in said]
        for one, vote in zip(planted, said, strict=True):
            canary.check(one, vote.verdict, vote.reason)


def _vote(spoken: verdict.Spoken, reply: ModelReply) -> Vote:
    """The vote as it is kept: a rationale may quote what it should not."""
    rationale = None if spoken.rationale is None else sanitize(spoken.rationale).text
    figures = (reply.model, reply.input_tokens, reply.output_tokens, reply.cost_micro_usd, reply.seconds)
    return Vote(spoken.verdict, rationale, spoken.reason, *figures)
