"""A report in sentences: what the gate says and why, how sure that is, what it would have seen, what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Report = Mapping[str, Any]


def sentences(report: Report) -> Iterator[str]:
    """The gravest first; nothing of what an older report does not hold."""
    for reason in report.get("reasons") or ():
        yield str(reason["words"])
    if (train := report.get("train")) and train["difference"] is not None:
        yield f"Train: {_compared(train)}."
    if held := report.get("holdout"):
        yield _held_out(held)
    yield from _silent(report)
    yield from _sensitivity(report)
    yield from _judge(report.get("judge"))
    if answers := report.get("answers"):
        told = "; ".join(f"{one['name']} ({one['answer']})" for one in answers)
        yield f"It was to answer: {told}."
    yield from _effort(report)


def _compared(found: Report) -> str:
    told = f"{_points(found['difference'])}{_interval(found['interval'])}"
    return f"{told}; {found['wins']} won, {found['ties']} tied, {found['losses']} lost; p = {found['p']:.3g}"


def _held_out(found: Report) -> str:
    if found["difference"] is None:
        return "Held-out: no scenario gave a result in both versions."
    earlier = "" if found["fresh"] else ", by an earlier evaluation: a change is confirmed once"
    return f"Held-out (version {found['version']}{earlier}): {_compared(found)}, needed {found['level']:.3g}."


def _silent(report: Report) -> Iterator[str]:
    for name, split in (("Train", report.get("train")), ("Held-out", report.get("holdout"))):
        counted = (split or {}).get("runs_without_result") or {}
        if any(counted.values()):
            after, before = counted["candidate"], counted["baseline"]
            yield f"{name}: {after} runs of the change and {before} before it gave no result."


def _sensitivity(report: Report) -> Iterator[str]:
    found = report.get("holdout") or report.get("train") or {}
    if (gain := found.get("detectable")) is not None:
        yield f"A true gain of {100 * gain:.0f} points would have been seen in four of five such comparisons."
    if steady := report.get("steadiness"):
        yield f"Two runs of the baseline on one scenario disagreed in {steady['flip_rate']:.0%} of all cases."


def _judge(found: Report | None) -> Iterator[str]:
    if not found:
        return
    agreement, labels = found.get("agreement_with_itself"), found.get("labels") or {}
    own = "" if agreement is None else f" {agreement:.0%} of its votes on one answer agree."
    if (kappa := labels.get("kappa")) is not None:
        yield f"Judge {found['model']}.{own} Kappa with {labels['labels']} labels of people: {kappa:.2f}."
    else:
        count, needed = labels.get("labels", 0), labels.get("needed", 30)
        yield f"Judge {found['model']}.{own} {count} of the {needed} labels that a kappa takes."


def _effort(report: Report) -> Iterator[str]:
    seconds, cost = (report.get("seconds") or {}).get("wall"), report.get("cost_micro_usd")
    if seconds is not None:
        yield f"It took {seconds:.0f} s and cost {'an unknown sum' if cost is None else f'${cost / 1_000_000:.4f}'}."


def _interval(found: Report | None) -> str:
    if not found:
        return ""
    return f" ({found['confidence']:.0%} interval {_points(found['low'])} to {_points(found['high'])})"


def _points(difference: float) -> str:
    return f"{100 * difference:+.0f} points"
