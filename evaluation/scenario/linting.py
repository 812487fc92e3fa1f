"""What is wrong with a profile's scenarios: said before an evaluation is paid for, and from what evaluations found."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from ... import host, schema
from ...ratchet.context import Context
from ..checks import parse_checks
from . import check_logic, likeness, readiness
from .scenarios import Scenario, in_use, list_scenarios
from .texts import content_hash

if TYPE_CHECKING:
    from sqlalchemy import Connection

ENOUGH_RUNS = 6
"""From how many results on it means something that all of them were alike."""
_NEWEST_RESULTS = 50_000
MOST_COMPARED = 500
"""So many, the newest ones, are compared with one another: the work grows with the square of their number."""


class Severity(StrEnum):
    """Only a problem makes the lint fail; a note is worth a look."""

    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One thing to put right about a scenario; ``code`` is stable, ``what`` a sentence.

    ``other_id`` is the scenario it is compared with, None where there is none or where that one is held out.
    """

    code: str
    severity: Severity
    scenario_id: int
    name: str
    what: str
    other_id: int | None = None


@dataclass(frozen=True)
class Lint:
    """``looked_at`` scenarios were read; ``locked`` held-out ones only to tell which of those are close to one."""

    profile: str
    looked_at: int
    locked: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no finding is a problem."""
        return not any(one.severity is Severity.PROBLEM for one in self.findings)


@dataclass(frozen=True)
class _Counts:
    """Results of one scenario as it is now, of both arms together."""

    runs: int = 0
    passed: int = 0
    failed: int = 0
    exposed: int = 0

    def __add__(self, other: _Counts) -> _Counts:
        return _Counts(
            self.runs + other.runs,
            self.passed + other.passed,
            self.failed + other.failed,
            self.exposed + other.exposed,
        )


def lint(context: Context, profile: str) -> Lint:
    """Look at every scenario in use; at held-out ones only while a reviewer has them unlocked.

    Raises UnknownProfile, SettingsInvalid.
    """
    context.home(profile)
    shown = [one for one in list_scenarios(context, profile, include_holdout=True) if not _is_locked(one)]
    with context.store.read() as tx:
        hidden = [one for one in in_use(tx, profile, holdout=True) if one.id not in {open_.id for open_ in shown}]
        counts = _counted(tx, shown)
    tools = host.tools_of(context.settings.evaluation.toolsets)
    with_judge = readiness.judge_is_configured()
    found = [*_alike(shown), *_near_holdout(shown, hidden)]
    for one in shown:
        found += [*_readiness(one, with_judge=with_judge), *_checks(one, tools), *_results(one, counts[one.id])]
    order = sorted(found, key=lambda finding: (finding.severity is Severity.NOTE, finding.scenario_id))
    return Lint(profile, len(shown), len(hidden), tuple(order))


def _is_locked(scenario: Scenario) -> bool:
    return bool(scenario.holdout) and not scenario.checks


def _problem(scenario: Scenario, code: str, what: str, other: int | None = None) -> Finding:
    return Finding(code, Severity.PROBLEM, scenario.id, scenario.name, what, other)


def _note(scenario: Scenario, code: str, what: str, other: int | None = None) -> Finding:
    return Finding(code, Severity.NOTE, scenario.id, scenario.name, what, other)


def _alike(scenarios: Sequence[Scenario]) -> Iterator[Finding]:
    """Twins: of each, the earlier one is named."""
    first: dict[str, Scenario] = {}
    for one in scenarios:
        earlier = first.setdefault(content_hash(one.input, one.checks), one)
        if earlier is not one:
            what = f"it asks and checks the same as scenario {earlier.id}: delete one of them"
            yield _problem(one, "duplicate", what, earlier.id)
    for earlier, one in itertools.combinations(list(first.values())[-MOST_COMPARED:], 2):
        if likeness.alike(earlier, one):
            yield _twins(earlier, one)


def _twins(earlier: Scenario, one: Scenario) -> Finding:
    if earlier.holdout != one.holdout:
        return _problem(one, "across_the_split", _CLOSE.format(f"scenario {earlier.id}"), earlier.id)
    return _note(one, "near_duplicate", f"it asks nearly the same as scenario {earlier.id}", earlier.id)


_CLOSE = "it is close to {}, which is on the other side of the split: what proves one proves the other"


def _near_holdout(shown: Sequence[Scenario], hidden: Sequence[Scenario]) -> Iterator[Finding]:
    """Only that there is a twin is said, not which one: a held-out scenario is not found out by asking around it."""
    for one in shown[-MOST_COMPARED:]:
        if not one.holdout and any(likeness.alike(one, other) for other in hidden):
            yield _problem(one, "across_the_split", _CLOSE.format("a held-out one"))


def _readiness(one: Scenario, *, with_judge: bool) -> Iterator[Finding]:
    why = readiness.why_not_run(one.checks, with_judge=with_judge)
    if why:
        yield _note(one, "not_run", f"no evaluation runs it: {why}")


def _checks(one: Scenario, tools: frozenset[str]) -> Iterator[Finding]:
    parsed = parse_checks(one.checks)
    yield from (_problem(one, "impossible_check", why) for why in check_logic.impossible(parsed, tools))
    yield from (_note(one, "idle_check", why) for why in check_logic.idle(parsed, tools))


def _results(one: Scenario, counts: _Counts) -> Iterator[Finding]:
    known = counts.passed + counts.failed
    if counts.runs >= ENOUGH_RUNS and not counts.exposed:
        yield _problem(
            one,
            "never_exposed",
            f"none of {counts.runs} runs can be shown to have met the file under test: ask for what makes the agent "
            "read it",
        )
    elif counts.runs >= ENOUGH_RUNS and not known:
        yield _problem(one, "never_a_result", f"none of {counts.runs} runs gave a result: see hermes ratchet results")
    elif known >= ENOUGH_RUNS and not counts.passed:
        yield _problem(
            one, "always_fails", f"all {known} runs failed, of every version: it tells none apart, or a check is wrong"
        )
    elif known >= ENOUGH_RUNS and not counts.failed:
        guard = "as a guard that is fine" if one.critical else "it tells no versions apart"
        yield _note(one, "always_passes", f"all {known} runs passed, of every version: {guard}")


def _counted(tx: Connection, scenarios: Sequence[Scenario]) -> dict[int, _Counts]:
    """Per scenario what its runs came to since it was last edited, among the newest results."""
    table, now = schema.scenario_results, {one.id: one.snapshot() for one in scenarios}
    newest = select(func.coalesce(func.max(table.c.id), 0) - _NEWEST_RESULTS).scalar_subquery()
    columns = (table.c.scenario_id, table.c.scenario_snapshot, table.c.pass_fail, table.c.exposed)
    query = select(*columns, func.count()).where(table.c.id > newest).group_by(*columns)
    found = {one.id: _Counts() for one in scenarios}
    for scenario_id, snapshot, passed, exposed, runs in tx.execute(query):
        if now.get(scenario_id) == snapshot:
            found[scenario_id] += _Counts(runs, runs * (passed == 1), runs * (passed == 0), runs * (exposed == 1))
    return found
