"""The operating characteristics published with the decision rules, and the exact ones beside them."""

from __future__ import annotations

from _windows import SuccessRule

from karpathy_self_improve.stats.calibration import WindowPlan, false_revert_rate, operating_characteristics

Shape = tuple[int, int, int]  # baseline sessions, live sessions to verification, live sessions at most
SHAPES: list[Shape] = [(20, 10, 20), (40, 20, 40), (60, 30, 60), (100, 50, 100)]
REVERTED = [(0.9, 0.8), (0.9, 0.75), (0.9, 0.7), (0.9, 0.5)]
VERIFIED = [(0.95, 0.95), (0.9, 0.9), (0.8, 0.8), (0.9, 0.85), (0.9, 0.8), (0.9, 0.7)]
CHANGES = sorted({*REVERTED, *VERIFIED}, reverse=True)
# c; reverted without a change; reverted; verified.
PUBLISHED = {
    (20, 10, 20): (0.0094, 0.02, [0.09, 0.17, 0.28, 0.76], [0.65, 0.53, 0.41, 0.33, 0.19, 0.05]),
    (40, 20, 40): (0.0057, 0.02, [0.16, 0.32, 0.50, 0.97], [0.90, 0.75, 0.57, 0.45, 0.21, 0.03]),
    (60, 30, 60): (0.0046, 0.02, [0.24, 0.46, 0.68, 1.0], [0.97, 0.87, 0.71, 0.56, 0.25, 0.02]),
    (100, 50, 100): (0.0035, 0.02, [0.36, 0.67, 0.88, 1.0], [0.99, 0.96, 0.87, 0.72, 0.32, 0.01]),
}
NEAR = 0.005


def plan(shape: Shape, alpha: float) -> WindowPlan:
    n0, n, n_max = shape
    return WindowPlan(n0=n0, n_min=5, n=n, n_max=n_max, alpha=alpha, margin=0.15, confidence=0.95)


def show_published(rules: dict[Shape, SuccessRule]) -> None:
    print("SUCCESS RATE, EXACT FIGURES (published ones in brackets): alpha .025, margin .15, confidence .95")
    wrong = [line for shape in SHAPES for line in _row(shape, rules[shape])]
    print(f"\n{len(wrong)} published figures are wrong by exact computation:" if wrong else "\nAll agree.")
    print(*(f"  {line}" for line in wrong), sep="\n")


def _row(shape: Shape, rule: SuccessRule) -> list[str]:
    """Print the figures of one plan; returns the published ones that are wrong."""
    c, unchanged, reverted, verified = PUBLISHED[shape]
    exact = {pair: operating_characteristics(rule.plan, rule.c, *pair) for pair in CHANGES}
    cells = [("reverted unchanged, worst rate", false_revert_rate(rule.plan, rule.c), unchanged)]
    cells += [(f"reverted {change(p)}", exact[p].reverted, said) for p, said in zip(REVERTED, reverted, strict=True)]
    cells += [(f"verified {change(p)}", exact[p].verified, said) for p, said in zip(VERIFIED, verified, strict=True)]
    print(f"\n  {name(shape)}: c = {rule.c:.5f} ({c}); reverted unchanged at .9: {exact[0.9, 0.9].reverted:.4f}")
    print(*(f"    {what:34} {value:.4f} ({said:.2f})" for what, value, said in cells), sep="\n")
    wrong = [(what, value, f"{said:.2f}") for what, value, said in cells if abs(value - said) > NEAR]
    at_margin, rate = max((_verified_at_margin(rule, points / 100), points / 100) for points in range(15, 101))
    print(f"    {'verified at the margin, worst rate':34} {at_margin:.4f} (<= .10), at {rate:g}->{rate - 0.15:.2g}")
    if at_margin > 0.1:
        wrong.append((f"verified at the margin, {rate:g}->{rate - 0.15:.2g}", at_margin, "<= .10"))
    return [f"{name(shape)} {what}: {value:.4f}, published {said}" for what, value, said in wrong]


def _verified_at_margin(rule: SuccessRule, rate: float) -> float:
    return operating_characteristics(rule.plan, rule.c, rate, max(0.0, rate - rule.plan.margin)).verified


def name(shape: Shape) -> str:
    return "{}/{}->{}".format(*shape)


def change(pair: tuple[float, float]) -> str:
    return f"{pair[0]:g}->{pair[1]:g}" if pair[0] != pair[1] else f"unchanged at {pair[0]:g}"
