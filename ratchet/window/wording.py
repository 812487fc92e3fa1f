"""Numbers as a sentence says them: shares, points, days, lists and counted reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def percent(share: float) -> str:
    """Whole percent where that says enough; never 0% of what does happen, nor 100% of what does not always."""
    if 0 < share < 0.005:
        return "less than 1%"
    if 0.995 <= share < 1:
        return "over 99%"
    return f"{100 * share:.3g}%" if share < 0.1 else f"{100 * share:.0f}%"


def points(share: float) -> str:
    """A difference of rates, in hundredths."""
    return f"{100 * share:.3g} points"


def days(count: int) -> str:
    """A number of days."""
    return "a day" if count == 1 else f"{count} days"


def count(number: int, what: str) -> str:
    """So many of something, e.g. "1 session" and "2 sessions"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def listed(parts: Sequence[str]) -> str:
    """Parts of a sentence, the last one behind an "and"."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def reasons(found: Mapping[str, int]) -> str:
    """Reasons with how often each applied, the commonest first."""
    return ", ".join(f"{count} {reason}" for reason, count in sorted(found.items(), key=lambda pair: -pair[1]))
