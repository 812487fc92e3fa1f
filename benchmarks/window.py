"""How often live windows err: exact figures, simulated windows beside them, and the obvious rules on the same sessions.

Prints, in this order:
  1. the exact figures of the success test beside the published ones;
  2. the same figures, and those of exceedances with over-dispersed, tied and skewed values, by simulation: each must
     come within three standard errors of the exact one (one that does not gets a second chance with ten times as many
     fresh windows), or the program fails;
  3. which level exceedances should count from;
  4. how often the obvious rules take a harmless change back when they look after every session, and how often we do;
  5. what chains of small losses add up to, with and without an anchor, and the worst chain there is.
Sessions are independent throughout. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from math import sqrt

import _product
import numpy as np
from _agents import Agent, ErrorCounts, Flags, Sessions, SkewedCost, Values, with_lots
from _creep import Chain, chains, worst_expected_loss, worst_expected_rise
from _obvious_rules import fisher_at_05, mann_whitney_at_05, poisson_test, ten_points_down
from _published import CHANGES, SHAPES, Shape, change, name, plan, show_published
from _windows import ExceedanceRule, SuccessRule, chunks, ends, same
from numpy.random import Generator

from karpathy_self_improve.ratchet.window.live_plan import Figures, Measure
from karpathy_self_improve.stats import polya_urn
from karpathy_self_improve.stats.calibration import OperatingCharacteristics, operating_characteristics
from karpathy_self_improve.stats.exceedances import level_rank

DEFAULT = (60, 30, 60)
MEASURES = [
    ErrorCounts("over-dispersed errors (mean 2, variance 10)", 2.0, 0.5, 3.0),
    ErrorCounts("tied errors (Poisson, mean .2)", 0.2, None, 4.0),
    SkewedCost("skewed cost (lognormal, sigma 1)", 1.0, 2.0),
]
AGENTS = [
    Agent("good, errors rare and tied, cost even", 0.95, 0.15, None, 0.5),
    Agent("good, errors in bursts, cost skewed", 0.9, 1.0, 0.4, 1.0),
    Agent("fair, errors in bursts, cost very skewed", 0.8, 2.0, 0.5, 1.5),
    Agent("poor, many errors in bursts, cost skewed", 0.55, 4.0, 0.8, 1.0),
]
_DIFFERENT = "The simulated rule and the product end the same windows differently."

Ended = tuple[Flags, Flags]  # which windows were reverted, which verified


class Checks:
    """Compares shares of simulated windows with exact probabilities.

    Of so many shares now and then one lies over three standard errors off by chance. It is then drawn again, with ten
    times as many fresh windows, and both are shown; a second time off is a failure.
    """

    def __init__(self, windows: int) -> None:
        self.windows = windows
        self.first: list[float] = []
        self.failed: list[str] = []

    def compare(self, label: str, simulate: Callable[[int], Ended], exact: OperatingCharacteristics) -> None:
        distances = self._distances(label, simulate, exact, self.windows)
        self.first += distances
        if max(distances) > 3 and max(self._distances("  again, tenfold", simulate, exact, 10 * self.windows)) > 3:
            self.failed.append(label)

    def _distances(
        self, label: str, simulate: Callable[[int], Ended], exact: OperatingCharacteristics, windows: int
    ) -> list[float]:
        pieces = [simulate(size) for size in chunks(windows)]
        line, distances = f"  {label:58}", []
        for index, probability in enumerate((exact.reverted, exact.verified)):
            share = np.mean(np.concatenate([piece[index] for piece in pieces]))
            error = sqrt(max(probability * (1 - probability), 1e-9) / windows)
            distances.append(abs(share - probability) / error)
            line += f"  {('reverted', 'verified')[index]} {share:.4f} ({probability:.4f}; {distances[-1]:.1f} s.e.)"
        print(line)
        return distances

    def summary(self) -> str:
        over, count = sum(distance > 3 for distance in self.first), len(self.first)
        again = f"; {over} drawn again, {len(self.failed)} of them still off" if over else ""
        return f"{count - over} of {count} shares within 3 s.e., the farthest {max(self.first):.2f}{again}"


def simulate_success(rules: dict[Shape, SuccessRule], checks: Checks, rng: Generator) -> None:
    print(f"\nSUCCESS RATE, {checks.windows} SIMULATED WINDOWS EACH (exact; distance)")
    for shape in SHAPES:
        for pair in CHANGES:
            rule = rules[shape]
            exact = operating_characteristics(rule.plan, rule.c, *pair)
            checks.compare(f"{name(shape)} {change(pair)}", partial(_success_windows, rule, pair, rng), exact)


def _success_windows(rule: SuccessRule, rates: tuple[float, float], rng: Generator, size: int) -> Ended:
    s0 = rng.binomial(rule.plan.n0, rates[0], size)
    outcomes = rng.random((size, rule.plan.n_max), dtype=np.float32) < rates[1]
    if not rule.agrees_with_product(s0[:20], outcomes[:20]):
        raise SystemExit(_DIFFERENT)
    return ends([rule.course(s0, outcomes)])


def simulate_exceedances(checks: Checks, rng: Generator) -> None:
    print(f"\nEXCEEDANCES, {checks.windows} SIMULATED WINDOWS EACH (exact; distance): alpha .0125, margin .15")
    for shape in ((20, 10, 20), DEFAULT):
        rule = ExceedanceRule(plan(shape, 0.0125))
        unchanged = polya_urn.operating_characteristics(rule.plan, rule.c)
        for measure in MEASURES:
            label = f"{name(shape)} {measure.name}"
            changed = polya_urn.operating_characteristics(rule.plan, rule.c, measure.share)
            for words, factor, exact in (("", 1.0, unchanged), (f" x{measure.factor:g}", measure.factor, changed)):
                checks.compare(label + words, partial(_measure_windows, rule, measure, factor, rng), exact)


def _measure_windows(
    rule: ExceedanceRule, measure: ErrorCounts | SkewedCost, factor: float, rng: Generator, size: int
) -> Ended:
    window = rule.plan.window
    baseline, live = measure.draw(rng, (size, window.n0)), measure.draw(rng, (size, window.n_max), factor)
    if not rule.agrees_with_product(baseline[:20], live[:20]):
        raise SystemExit(_DIFFERENT)
    return ends([rule.course(baseline, live)])


def show_levels() -> None:
    """Exact power by level, for the default plan."""
    shares = {f"{m.name.split(' (')[0]} x{m.factor:g}": m.share for m in MEASURES}
    shares["10% of sessions blow up"] = lambda u: u + 0.1 * (1 - u)
    shares["25% of sessions blow up"] = lambda u: u + 0.25 * (1 - u)
    n0 = DEFAULT[0]
    print(f"\nWHICH LEVEL, EXACT, {name(DEFAULT)}: the baseline's k-th largest; we take k = {level_rank(n0)}")
    print(
        f"  {'k':>3}  verified: unchanged; at the margin; {list(shares)[2]} | reverted: {'; '.join(shares)}; their mean"
    )
    for k in (1, 3, 6, 9, 12, 15, 30):
        rule = ExceedanceRule(plan(DEFAULT, 0.0125), k)
        unchanged = polya_urn.operating_characteristics(rule.plan, rule.c).verified
        at_margin = polya_urn.operating_characteristics(rule.plan, rule.c, lambda u: min(1.0, u + 0.15)).verified
        changed = [polya_urn.operating_characteristics(rule.plan, rule.c, share) for share in shares.values()]
        powers = [found.reverted for found in changed]
        verified = "  ".join(f"{value:.3f}" for value in (unchanged, at_margin, changed[2].verified))
        reverted = "  ".join(f"{value:.3f}" for value in (*powers, sum(powers) / len(powers)))
        print(f"  {k:3}  {verified} | {reverted}")


def show_obvious_rules(success: SuccessRule, windows: int, rng: Generator) -> dict[str, float]:
    """Harmless changes taken back by every rule on the same windows. Returns the figures for the last line."""
    rules = [ExceedanceRule(plan(DEFAULT, 0.0125)) for _ in ("errors", "cost")]
    print(
        f"\nHARMLESS CHANGES TAKEN BACK, {windows} WINDOWS EACH: 60 baseline sessions, a look after each of 5..60 live"
    )
    worst: dict[str, float] = {}
    verified = []
    for agent in AGENTS:
        pieces = [_all_rules(agent, success, rules, size, rng) for size in chunks(windows)]
        shares = {rule: float(np.mean(np.concatenate([piece[rule] for piece in pieces]))) for rule in pieces[0]}
        verified.append(shares.pop("verified"))
        print(f"\n  {agent.name}: success {agent.success:g}")
        print(*(f"    {rule:52} {share:.4f}" for rule, share in shares.items()), sep="\n")
        print(f"    {'... and verifies, all three measures together':52} {verified[-1]:.4f}")
        worst = {rule: max(share, worst.get(rule, 0.0)) for rule, share in shares.items()}
    return {
        "max_false_revert": worst["ours: success, errors and cost together (<= .05)"],
        "naive_false_revert": worst["success ten points down"],
        "verified_unchanged": verified[1],
    }


def _first_windows(arm: Sessions, errors: Values) -> list[tuple[Figures, ...]]:
    """The first twenty windows' sessions as the product sees them."""
    columns = zip(arm.success[:20].tolist(), errors[:20].tolist(), arm.cost[:20].tolist(), strict=True)
    return [_product.sessions(*window) for window in columns]


def _all_rules(
    agent: Agent, success: SuccessRule, exceedances: list[ExceedanceRule], size: int, rng: Generator
) -> dict[str, Flags]:
    n0, n_max, n_min = success.plan.n0, success.plan.n_max, success.plan.n_min
    before, after = agent.sessions(rng, (size, n0)), agent.sessions(rng, (size, n_max))
    s0 = before.success.sum(axis=1)
    errors = with_lots(rng, before.errors), with_lots(rng, after.errors)
    courses = [
        success.course(s0, after.success),
        exceedances[0].course(*errors),
        exceedances[1].course(before.cost, after.cost),
    ]
    alone = [ends([course])[0] for course in courses]
    reverted, verified = ends(courses)
    windows = list(zip(_first_windows(before, errors[0]), _first_windows(after, errors[1]), strict=True))
    tests = [success.test, exceedances[0].test(Measure.ERRORS), exceedances[1].test(Measure.COST)]
    if not same((reverted, verified), tests, windows):
        raise SystemExit(_DIFFERENT)
    fisher, ranks = fisher_at_05(s0, n0, after.success, n_min), mann_whitney_at_05(before.cost, after.cost, n_min)
    poisson = poisson_test(before.errors, after.errors, n_min, 0.05)
    s0_of_40 = before.success[:, :40].sum(axis=1)
    return {
        "success ten points down": ten_points_down(s0, n0, after.success, n_min),
        "success ten points down, 40 baseline and 20 live": ten_points_down(s0_of_40, 40, after.success[:, :20], n_min),
        "success, Fisher p < .05": fisher,
        "cost, Mann-Whitney p < .05": ranks,
        "errors, Poisson test p < .0125": poisson_test(before.errors, after.errors, n_min, 0.0125),
        "errors, Poisson test p < .05": poisson,
        "Fisher, Mann-Whitney and Poisson at .05 together": fisher | ranks | poisson,
        "ours: success (<= .025)": alone[0],
        "ours: errors by exceedances (<= .0125)": alone[1],
        "ours: cost by exceedances (<= .0125)": alone[2],
        "ours: success, errors and cost together (<= .05)": reverted,
        "ours verifies the change, by success alone": ends(courses[:1])[1],
        "verified": verified,
    }


def show_creep(count: int) -> dict[str, float]:
    """Chains of small losses. Returns the figures for the last line."""
    default = plan(DEFAULT, 0.025)
    print(f"\nCREEP: {count} chains from success .9, {name(DEFAULT)}; only verified changes stay. Promise: loss <= .15")
    losing = {anchored: chains(default, count, 12, -0.05, 0.9, anchored=anchored, seed=1) for anchored in (True, False)}
    six = chains(default, count, 6, -0.05, 0.9, anchored=False, seed=2)
    _show_chains("twelve steps of -5 points, anchor and budget", losing[True])
    _show_chains("twelve steps of -5 points, previous version", losing[False])
    _show_chains("six steps of -5 points, previous version (.19 published)", six)
    _show_chains(
        "twelve changes that change nothing, anchor and budget",
        chains(default, count, 12, 0, 0.9, anchored=True, seed=3),
    )
    _show_chains("the same, previous version", chains(default, count, 12, 0, 0.9, anchored=False, seed=3))
    print("\n  The worst any proposer can do on one anchor's whole budget, in expectation, exact (promise: .15):")
    for shape in SHAPES:
        of_shape = plan(shape, 0.025)
        for sessions in (of_shape.n0, of_shape.n):
            losses = {
                start: worst_expected_loss(of_shape, start, sessions) for start in (1.0, 0.97, 0.95, 0.9, 0.8, 0.6)
            }
            line = "  ".join(f"from {start:g}: {loss:.3f}" for start, loss in losses.items())
            print(f"    {name(shape)}, anchor of {sessions} sessions:  {line}")
        print(f"    {name(shape)}, share of exceedances: {worst_expected_rise(of_shape):.3f}")
    means = {anchored: float(np.mean([0.9 - chain.rate for chain in found])) for anchored, found in losing.items()}
    return {"creep_mean_loss": means[True], "creep_mean_loss_without_anchor": means[False]}


def _show_chains(label: str, found: list[Chain]) -> None:
    losses = np.array([0.9 - chain.rate for chain in found])
    error = losses.std(ddof=1) / sqrt(len(found))
    kept = np.mean([chain.verified for chain in found])
    print(f"  {label:58} lose {losses.mean():.3f} +- {error:.3f}, at most {losses.max():.2f}; {kept:.1f} verified")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10,000 windows and 50 chains instead of 100,000 and 200")
    parser.add_argument("--seed", type=int, default=20261120, help="of the simulated windows (default: %(default)s)")
    options = parser.parse_args()
    windows, count = (10_000, 50) if options.quick else (100_000, 200)
    rng, checks = np.random.default_rng(options.seed), Checks(windows)
    rules = {shape: SuccessRule(plan(shape, 0.025)) for shape in SHAPES}
    show_published(rules)
    simulate_success(rules, checks, rng)
    simulate_exceedances(checks, rng)
    print(f"\n  {checks.summary()}")
    show_levels()
    figures = show_obvious_rules(rules[DEFAULT], windows, rng)
    default = rules[DEFAULT]
    figures["caught_90_50"] = operating_characteristics(default.plan, default.c, 0.9, 0.5).reverted
    figures |= show_creep(count)
    print(json.dumps({"window": {key: round(value, 4) for key, value in figures.items()}}))
    if checks.failed:
        raise SystemExit(f"Simulated and exact figures differ by more than three standard errors: {checks.failed}")


if __name__ == "__main__":
    main()
