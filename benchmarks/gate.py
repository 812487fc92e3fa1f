"""How often the offline gate errs: identical candidates that pass, true gains that do not, the naive rule beside it.

Every figure comes from simulated evaluations judged by the product's own gate, with three repeats and as many train as
held-out scenarios. Its rules are those of the settings as delivered. Prints, in this order:
  1. identical bytes: how often one candidate passes, and any of ten, for scenarios of different steadiness;
  2. candidates that gain on train only: what Holm's correction is worth when they come one by one, and with a plan;
  3. power: how often true gains of 5, 10 and 20 points pass the whole gate, and the confirmation alone;
  4. the gain said to be detectable, and how often the confirmation finds one of that size;
  5. how often the interval holds the true gain;
  6. scenarios that waver more and more: their flip rate, how often different limits of it refuse them, and the power
     for 20 points that is left: what the limit is for, and why it is where it is.
In 1 to 4 the A/A run is taken as passed, or some unsteady sets would not come as far. The last line is one JSON object,
with the greatest shares of 1 and the power of the whole gate with the first kind of scenarios. Exit code 1 when
identical bytes pass more than three standard errors oftener than alpha.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from math import sqrt
from multiprocessing import get_context
from statistics import fmean, median
from typing import Any

import numpy as np
from _evaluations import REPEATS, RULES, Bed, Scenarios, Series, confirmation, higher, judge, steadiness
from numpy.random import Generator

from karpathy_self_improve.stats import holm
from karpathy_self_improve.stats.bootstrap import interval
from karpathy_self_improve.stats.comparison import Split
from karpathy_self_improve.stats.gate import GateVerdict
from karpathy_self_improve.stats.pairs import GRAINS

SIZES = (10, 20, 40, 80)
GAINS = (0.05, 0.10, 0.20)
TEN = 10
WAVERING = Scenarios("wavering", 0.5)
KINDS = (WAVERING, Scenarios("wavering, judge noise .1", 0.5, 0.1), Scenarios("steady", 0.05))
PLANS = (1, 10)
LIMITS = (0.05, 0.20, 0.30, 0.40)
NOISES = (0.0, 0.05, 0.1, 0.2)
Figures = dict[str, float]
Cell = Callable[[Generator], Figures]


def identical(scenarios: Scenarios, count: int, shared: bool, evaluations: int, rng: Generator) -> Figures:
    """Identical bytes: shares of evaluations in which the first, and any of ten, passes."""
    runs = [
        Series(Bed.draw(rng, scenarios, count), shared_baseline=shared).passes(rng, TEN) for _ in range(evaluations)
    ]
    return _shares(runs)


def overfitted(planned: int, candidates: int, capped: bool, count: int, evaluations: int, rng: Generator) -> Figures:
    """The same for candidates with 40 points more on train, for which they were made, and nothing on held-out."""
    rules = replace(RULES, planned=planned)
    series = (Series(Bed.draw(rng, WAVERING, count), rules, capped=capped) for _ in range(evaluations))
    return _shares([one.passes(rng, candidates, 0.4) for one in series])


def _shares(runs: list[tuple[list[bool], list[bool]]]) -> Figures:
    return {
        "first": fmean(gate[0] for gate, _ in runs),
        "any": fmean(any(gate) for gate, _ in runs),
        "naive_first": fmean(naive[0] for _, naive in runs),
        "naive_any": fmean(any(naive) for _, naive in runs),
    }


def power(scenarios: Scenarios, count: int, gain: float, evaluations: int, rng: Generator) -> Figures:
    """A true gain on both splits: how often it passes, by the whole gate, the confirmation alone, the naive rule."""
    found = dict.fromkeys(("gate", *(f"planned_{planned}" for planned in PLANS), "confirmation", "naive"), 0)
    for _ in range(evaluations):
        bed = Bed.draw(rng, scenarios, count)
        train, holdout = bed.run(rng, Split.TRAIN, gain), bed.run(rng, Split.HOLDOUT, gain)
        decision = judge(train, holdout, [])
        alone = confirmation(holdout)
        found["gate"] += decision.verdict is GateVerdict.PASSED
        for planned in PLANS:
            level = holm.level([], RULES.alpha, planned=planned)
            found[f"planned_{planned}"] += decision.screened and alone.p <= level
        found["confirmation"] += alone.convincing
        found["naive"] += higher(train)
    return {rule: passed / evaluations for rule, passed in found.items()}


def detectable(scenarios: Scenarios, count: int, evaluations: int, rng: Generator) -> Figures:
    """The median gain said to be detectable where there is none, and the confirmation's power at that gain."""
    said = [confirmation(Bed.draw(rng, scenarios, count).run(rng, Split.HOLDOUT)).detectable for _ in range(200)]
    gain = median(1.0 if value is None else value for value in said)
    # The gain said is one that the judge sees: a noisy one sees less of it than there is.
    true = min(0.5, gain / (1 - 2 * scenarios.judge_noise))
    return {"gain": gain, "true": true, "power": power(scenarios, count, true, evaluations, rng)["confirmation"]}


def coverage(scenarios: Scenarios, count: int, evaluations: int, rng: Generator) -> Figures:
    """How often the interval holds a gain of 10 points."""
    seen, held = 0.1 * (1 - 2 * scenarios.judge_noise), 0
    for number in range(evaluations):
        bed = Bed.draw(rng, scenarios, count)
        values = [pair.gain / GRAINS for pair in bed.run(rng, Split.HOLDOUT, 0.1)]
        found = interval(values, confidence=0.9, resamples=1000, seed=number)
        held += found is not None and found.low <= seen <= found.high
    return {"coverage": held / evaluations}


def unsteady(scenarios: Scenarios, count: int, evaluations: int, rng: Generator) -> Figures:
    """The flip rate of such scenarios, how often each limit refuses them, and how often a gain of 20 points passes."""
    rates, passed = [], 0
    for _ in range(evaluations):
        bed = Bed.draw(rng, scenarios, count)
        train = bed.run(rng, Split.TRAIN, 0.2)
        rates.append(steadiness(train))
        passed += judge(train, bed.run(rng, Split.HOLDOUT, 0.2), []).verdict is GateVerdict.PASSED
    refused = {_limit(limit): fmean(rate > limit for rate in rates) for limit in LIMITS}
    return {"flips": fmean(rates), **refused, "power": passed / evaluations}


def _limit(limit: float) -> str:
    return f"over {limit:.2f}"


def cells(evaluations: int) -> dict[tuple[str, ...], Cell]:
    """Everything that is measured, by the keys under which it is shown."""
    found: dict[tuple[str, ...], Cell] = {}
    for kind in KINDS:
        for count in SIZES:
            size = f"{count}x{REPEATS}"
            found["identical", kind.name, size] = partial(identical, kind, count, False, evaluations)
            found["coverage", kind.name, size] = partial(coverage, kind, count, evaluations // 4)
        for count in SIZES[1:]:
            size = f"{count}x{REPEATS}"
            found["detectable", kind.name, size] = partial(detectable, kind, count, evaluations)
            for gain in GAINS:
                found["power", kind.name, size, _points(gain)] = partial(power, kind, count, gain, evaluations)
    for count in SIZES:
        size = f"{count}x{REPEATS}"
        found["identical", "wavering, one train baseline for all", size] = partial(
            identical, WAVERING, count, True, evaluations
        )
    for shape in (0.05, 0.5):
        for noise in NOISES:
            kind = Scenarios(f"Beta({shape}), judge noise {noise}", shape, noise)
            found["unsteady", kind.name, f"40x{REPEATS}"] = partial(unsteady, kind, 40, evaluations)
    for planned, candidates, capped in ((1, TEN, False), (TEN, TEN, True), (1, 3, False), (3, 3, True), (3, TEN, True)):
        label = f"{candidates} candidates, {planned} planned{'' if capped else ', all confirmed'}"
        found["overfitted", label, f"40x{REPEATS}"] = partial(overfitted, planned, candidates, capped, 40, evaluations)
    return found


def _points(gain: float) -> str:
    return f"+{100 * gain:.0f}"


def _measure(cell: Cell, seed: tuple[int, int]) -> Figures:
    return cell(np.random.default_rng(seed))


def show(measured: dict[tuple[str, ...], Figures], title: str, section: str, *columns: str) -> None:
    print(f"\n{title}\n  {'':52} {'  '.join(f'{column:>12}' for column in columns)}")
    for (part, *keys), figures in measured.items():
        if part == section:
            print(f"  {', '.join(keys):52} {'  '.join(f'{figures[column]:12.4f}' for column in columns)}")


def last_line(measured: dict[tuple[str, ...], Figures]) -> dict[str, Any]:
    alike = [figures for (part, *_), figures in measured.items() if part == "identical"]
    powers: dict[str, Figures] = {}
    for (part, kind, *keys), figures in measured.items():
        if part == "power" and kind == WAVERING.name:
            powers.setdefault(keys[0], {})[keys[1]] = round(figures["gate"], 4)
    return {
        "aa_pass_rate_max": max(max(figures["first"], figures["any"]) for figures in alike),
        "naive_aa_pass_rate_max": max(max(figures["naive_first"], figures["naive_any"]) for figures in alike),
        "power": powers,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluations", type=int, default=2000, help="simulated per cell (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="at once (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=20261120, help="of the simulation (default: %(default)s)")
    options = parser.parse_args()
    todo = cells(options.evaluations)
    seeds = [(options.seed, number) for number in range(len(todo))]
    with ProcessPoolExecutor(options.processes, get_context("spawn"), os.nice, (10,)) as pool:
        measured = dict(zip(todo, pool.map(_measure, todo.values(), seeds), strict=True))
    several = f"{options.evaluations} EVALUATIONS EACH"
    show(
        measured,
        f"IDENTICAL BYTES PASS, THE FIRST AND ANY OF TEN, {several}",
        "identical",
        "first",
        "any",
        "naive_first",
        "naive_any",
    )
    show(measured, f"CANDIDATES THAT GAIN ON TRAIN ONLY PASS, {several}", "overfitted", "first", "any", "naive_any")
    show(
        measured,
        f"TRUE GAINS PASS, {several}",
        "power",
        "gate",
        *(f"planned_{n}" for n in PLANS),
        "confirmation",
        "naive",
    )
    show(measured, "GAIN SAID TO BE DETECTABLE WITH POWER .8", "detectable", "gain", "true", "power")
    show(measured, "90% INTERVAL HOLDS THE GAIN", "coverage", "coverage")
    show(measured, f"WAVERING SCENARIOS, {several}", "unsteady", "flips", *map(_limit, LIMITS), "power")
    figures = last_line(measured)
    print(json.dumps({"gate": figures}))
    chance = 3 * sqrt(RULES.alpha * (1 - RULES.alpha) / options.evaluations)
    if figures["aa_pass_rate_max"] > RULES.alpha + chance:
        raise SystemExit("Identical bytes pass the gate more often than alpha allows.")


if __name__ == "__main__":
    main()
