"""How much a chain of verified changes may lose together: an anchor that does not sink, and one margin to spend on it.

Were every change compared with the version before it, each could lose a little and all of them a lot. So each is
compared with the same anchor. That alone is not enough either: a version at the margin is verified now and then by
luck, and whoever may try often enough gets it in. So every window against an anchor takes its share of one margin,
whatever its verdict, and leaves the next one less. The shares are chosen so that the promise holds in the worst case:
a proposer who knows all true rates and every count, and never meets a revert, cannot lose more than ``margin`` in
expectation. That is computed exactly, for the success rate and for the share of exceedances, in
``benchmarks/window.py``; it holds for anchors of 20 sessions and more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .jeffreys import noninferiority

# With 100 windows, plans of 20 to 60 baseline sessions would break the promise; with 50 all keep it.
WINDOWS_PER_ANCHOR = 50


@dataclass(frozen=True)
class Anchor:
    """Successes out of counted sessions of the version that later ones must not fall behind.

    Raises ValueError unless 0 <= successes <= sessions and there is a session.
    """

    successes: int
    sessions: int

    def __post_init__(self) -> None:
        if not (0 <= self.successes <= self.sessions and self.sessions >= 1):
            raise ValueError(f"an anchor needs 0 <= successes <= sessions, and a session, not {self}")


@dataclass(frozen=True)
class MarginBudget:
    """One margin per anchor, and how many windows were already judged against it.

    A profile starts with its first baseline as the anchor; a change of the model or host version starts anew.
    Raises ValueError unless 0 < margin < 1 and windows >= 0.
    """

    anchor: Anchor
    margin: float
    windows: int = 0

    def __post_init__(self) -> None:
        if not (0 < self.margin < 1 and self.windows >= 0):
            raise ValueError(f"a budget needs 0 < margin < 1 and windows >= 0, not {self}")

    @property
    def used(self) -> float:
        """The part of the margin that windows took so far, as a success rate."""
        return self.margin * min(1.0, self.windows / WINDOWS_PER_ANCHOR)

    @property
    def available(self) -> float:
        """The ``margin`` of the next window's plan. At 0 only a version shown to beat the anchor is verified."""
        return self.margin - self.used

    @property
    def promised(self) -> float:
        """What the changes verified on this budget lose together at most, in expectation, in true success rate.

        Against the anchor's true rate, for independent sessions, however the changes were chosen.
        """
        return self.margin

    def after(self, verified: Anchor | None, confidence: float) -> MarginBudget:
        """The budget after one more window: ``verified`` is what it counted, None when it did not verify.

        A verified version shown to be better becomes the anchor, with a budget of its own. "Shown", because the
        highest of many measured rates is mostly luck: the more unchanged versions, the higher, and soon no honest
        version could keep up with it.
        """
        if verified is not None and is_better(self.anchor, verified, confidence):
            return MarginBudget(verified, self.margin)
        return replace(self, windows=self.windows + 1)


def is_better(anchor: Anchor, version: Anchor, confidence: float) -> bool:
    """Whether P(p_version > p_anchor) >= ``confidence`` under Jeffreys priors."""
    counts = (anchor.successes, anchor.sessions, version.successes, version.sessions)
    return noninferiority(*counts, 0.0) >= confidence
