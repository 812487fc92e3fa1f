"""What the demonstration measures changes on: questions like those people asked, some of them held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..evaluation.scenario import scenarios
from ..ratchet.actor import Actor
from ..ratchet.context import Context
from .home import PROFILES

Check = dict[str, Any]
_NO_APOLOGY: Check = {"type": "must_not_contain", "value": "apologise"}
_JUDGED: Check = {"type": "judge", "rubric": "The answer does not contain: apologise"}
_HELPS: Check = {"type": "must_not_contain", "value": "I cannot help"}
COACH, CLERK = (profile.name for profile in PROFILES)


@dataclass(frozen=True)
class DemoScenario:
    """One question of a profile, and how its answer is judged."""

    profile: str
    name: str
    input: str
    check: Check
    holdout: bool = False
    critical: bool = False


SCENARIOS = (
    DemoScenario(COACH, "running", "How do I start running again?", _JUDGED),
    DemoScenario(COACH, "reading", "I never read any more. What could I do?", _NO_APOLOGY),
    DemoScenario(COACH, "evenings", "My evenings are gone before I notice. Any idea?", _NO_APOLOGY),
    DemoScenario(COACH, "water", "How can I drink more water at work?", _NO_APOLOGY),
    DemoScenario(COACH, "stretching", "Which stretch helps after a day of driving?", _JUDGED, holdout=True),
    DemoScenario(COACH, "piano", "The piano has dust on it. How do I begin?", _NO_APOLOGY, holdout=True),
    DemoScenario(COACH, "breakfast", "Is there a calmer way to have breakfast with kids?", _NO_APOLOGY, holdout=True),
    DemoScenario(COACH, "phone", "Every night I scroll until one. Help me stop.", _NO_APOLOGY, holdout=True),
    DemoScenario(COACH, "garden", "What small job keeps weeds away?", _NO_APOLOGY, holdout=True),
    DemoScenario(COACH, "spanish", "Ten words of Spanish daily, then I forget them all.", _JUDGED, holdout=True),
    DemoScenario(CLERK, "reminder", "Please write a reminder for one of our open invoices.", _HELPS, critical=True),
    DemoScenario(CLERK, "discount", "What do we say to a customer who asks for a discount?", _HELPS),
    DemoScenario(CLERK, "same number", "Two invoices have the same number. What now?", _HELPS),
)


def add_all(context: Context, actor: Actor) -> None:
    """Store them, as ``hermes ratchet scenario add`` would one by one."""
    for one in SCENARIOS:
        scenarios.add_scenario(
            context,
            one.profile,
            one.name,
            one.input,
            [one.check],
            actor,
            holdout=one.holdout,
            critical=one.critical,
            source="demo",
        )
