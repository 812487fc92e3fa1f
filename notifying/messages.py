"""The words of a notification: one line from a fixed template, with ids, profile names and a link, and nothing else.

Nobody but us chooses a word of it: file names, reasons, diffs and error texts may come from a model or a stranger.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

_PROFILE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_NAMED_IN_A_SUMMARY = 5

TEMPLATES: Mapping[str, str] = MappingProxyType(
    {
        "experiment.reverted": "Experiment {experiment} of profile {profile} was taken back.",
        "window.inconclusive": "The window of experiment {experiment} (profile {profile}) is inconclusive: decide.",
        "file.conflict": "Experiment {experiment} (profile {profile}) is in conflict with an edit of its file.",
        "file.external_change": "A guarded file of profile {profile} changed without an experiment.",
        "daemon.failure": "The daemon failed on profile {profile} and will try again.",
        "daemon.dead": "The daemon is not heard of any more: nothing is watched, nothing is taken back.",
    }
)
_SHORT: Mapping[str, str] = MappingProxyType(
    {
        "experiment.reverted": "taken back",
        "window.inconclusive": "inconclusive",
        "file.conflict": "in conflict with an edit",
        "file.external_change": "file changed without an experiment",
        "daemon.failure": "daemon failed",
        "daemon.dead": "daemon not heard of",
    }
)


@dataclass(frozen=True)
class Subject:
    """As much of an event as may enter a message, still to be checked."""

    id: int
    kind: str
    profile: str | None
    experiment_id: int | None


@dataclass(frozen=True)
class Message:
    """One line to send. ``event_id`` is the newest event it tells of; the ids are None in a summary of several."""

    text: str
    link: str
    kind: str
    event_id: int
    profile: str | None = None
    experiment_id: int | None = None


def about(event: Subject, dashboard_url: str) -> Message:
    """The message about one event."""
    profile, experiment = _profile(event), _experiment(event)
    link = page(dashboard_url, experiment)
    said = TEMPLATES[event.kind].format(profile=profile or "?", experiment="?" if experiment is None else experiment)
    return Message(f"Self-Improve: {said} {link}", link, event.kind, event.id, profile, experiment)


def page(dashboard_url: str, experiment: int | None) -> str:
    """Where the page shows an experiment, or everything."""
    return dashboard_url if experiment is None else f"{dashboard_url}#/experiments/{experiment}"


def summary(events: Sequence[Subject], dashboard_url: str) -> Message:
    """One message about several events; which ones stands behind the link."""
    parts = []
    for kind, short in _SHORT.items():
        ours = [event for event in events if event.kind == kind]
        if ours:
            parts.append(f"{len(ours)} x {short}{_named(ours)}")
    text = f"Self-Improve: {len(events)} things need a look: {'; '.join(parts)}. {dashboard_url}"
    return Message(text, dashboard_url, "summary", events[-1].id)


def trial(dashboard_url: str) -> Message:
    """What an operator sends to see whether a target works."""
    return Message(f"Self-Improve: this is a test, all is well. {dashboard_url}", dashboard_url, "test", 0)


def _profile(event: Subject) -> str | None:
    """Profile names have a fixed alphabet; what has another one was never a profile of the host."""
    return event.profile if isinstance(event.profile, str) and _PROFILE.fullmatch(event.profile) else None


def _experiment(event: Subject) -> int | None:
    return event.experiment_id if isinstance(event.experiment_id, int) else None


def _named(events: Sequence[Subject]) -> str:
    numbers = [_experiment(event) for event in events]
    names = [_profile(event) for event in events] if None in numbers else [str(number) for number in numbers]
    unique = [name for name in dict.fromkeys(names) if name is not None]
    more = ", ..." if len(unique) > _NAMED_IN_A_SUMMARY else ""
    return f" ({', '.join(unique[:_NAMED_IN_A_SUMMARY])}{more})" if unique else ""
