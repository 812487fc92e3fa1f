"""Who judges and who proposes: names of models made comparable, and the rule that they must differ."""

from __future__ import annotations

import re

from ...errors import Conflict

_VARIANT = re.compile(r":(?:free|beta|extended|nitro|floor|online|thinking|exacto)$")
_RELEASE = re.compile(r"(?:[-@](?:\d{8}|\d{4}-\d{2}-\d{2})|-latest)$")


class JudgeNotIndependent(Conflict):
    """The judge is the proposer, or nobody can show that it is not."""

    code = "judge_not_independent"


def canonical(model: str) -> str:
    """One name for a model whoever sells it: without vendor, route variant and date, ``.`` and ``-`` alike.

    Two releases of one model are alike on purpose: in doubt the judge is refused.
    """
    name = _VARIANT.sub("", model.strip().lower().rsplit("/", 1)[-1])
    return _RELEASE.sub("", name).replace(".", "-")


def check_configured(judge: str, *proposers: str) -> None:
    """Raises JudgeNotIndependent when the configured judge is one of the proposers; a name not configured is ''."""
    for proposer in filter(None, proposers):
        if canonical(judge) == canonical(proposer):
            raise JudgeNotIndependent(
                f"auxiliary.ratchet_judge names '{judge}', and '{proposer}' is what proposes. A model must not judge "
                "its own proposals: name another one for the judge in the root home's config.yaml."
            )


def check_answered(judge: str, *proposers: str) -> None:
    """Raises JudgeNotIndependent when the model that answered as judge may be one that answered as proposer."""
    if not canonical(judge) or not all(map(canonical, proposers)):
        raise JudgeNotIndependent(
            "A provider does not say which model answers, so nobody can show that the judge is not the proposer. "
            "Use a provider that names the model in its answers."
        )
    for proposer in proposers:
        if canonical(judge) == canonical(proposer):
            raise JudgeNotIndependent(
                f"Judge and proposer are configured apart, but '{judge}' answers for both ('{proposer}'): two names of "
                "one model, or the host fell back on it for a model it cannot reach. Correct auxiliary.ratchet_judge."
            )
