"""Starter scenarios are valid, plainly labelled, and follow rules that stand in the profile's SOUL.md."""

from __future__ import annotations

import pytest

from karpathy_self_improve.demo.scripted_rules import reply
from karpathy_self_improve.evaluation.checks import Outcome, evaluate, parse_checks
from karpathy_self_improve.evaluation.running.runner import AgentRun
from karpathy_self_improve.evaluation.scenario.templates import GENERAL, starter_scenarios

SOUL = """# Soul

Never apologise. Never say "as an AI".

- When asked for a summary, answer in at most 12 words.
- Always end answers with the line: NEXT: <one concrete step>.
- Always start answers with: "Understood".
"""


def passes(name: str, answer: str) -> bool:
    scenario = {s.name: s for s in starter_scenarios(SOUL)}[f"starter: SOUL.md, {name}"]
    run = AgentRun(answer=answer, completed=True, exposed=True)
    return evaluate(parse_checks(scenario.checks), run).outcome is Outcome.PASS


def test_every_starter_is_valid_labelled_and_unique() -> None:
    scenarios = starter_scenarios(SOUL)
    assert len(scenarios) == len(GENERAL) + 5
    assert len({s.name for s in scenarios}) == len(scenarios)
    assert all(s.name.startswith("starter: ") and s.input and parse_checks(s.checks) for s in scenarios)


def failures(soul: str) -> set[str]:
    """The starters that an agent with this soul does not pass, as the scripted model plays it."""
    names = set()
    for scenario in starter_scenarios(None):
        messages = [{"role": "system", "content": soul}, {"role": "user", "content": scenario.input}]
        run = AgentRun(answer=reply(messages).text, completed=True, exposed=True)
        if evaluate(parse_checks(scenario.checks), run).outcome is not Outcome.PASS:
            names.add(scenario.name)
    return names


def test_a_working_agent_passes_the_general_ones_and_a_broken_one_does_not() -> None:
    assert failures("You are helpful.") == failures(SOUL) == set()
    assert "starter: summarises a note" in failures("Answer in one word.")


@pytest.mark.parametrize("soul", [None, "", "You are helpful."])
def test_a_file_without_checkable_rules_gives_the_general_ones_only(soul: str | None) -> None:
    assert starter_scenarios(soul) == GENERAL


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ("closing line", "Done.\nNEXT: call the library", "Done."),
        ("opening words", "Understood. It opens at nine.", "It opens at nine."),
        ("forbidden words", "It opens at nine.", "As an AI, I cannot."),
        ("no apology", "It opens at nine.", "Sorry, it opens at nine."),
        ("word limit", "one two three four five six seven eight nine ten eleven twelve", "one " * 13),
    ],
)
def test_a_rule_of_the_file_is_checked(rule: str, good: str, bad: str) -> None:
    assert passes(rule, good)
    assert not passes(rule, bad)


def test_a_rule_that_is_all_placeholder_gives_nothing_to_check() -> None:
    assert starter_scenarios("Always end answers with the line: <a joke>.") == GENERAL
