"""Text of others made safe for a terminal or a chat: what would be invisible, move the cursor or reorder is named."""

from __future__ import annotations

import re

# The same characters the dashboard page names: C0 and C1 controls but tab and newline, bidi and zero-width characters,
# tags; and lone surrogates, which no terminal can be sent.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e01ef]"
)


def visible(text: str) -> str:
    """``text`` with each such character written as its code point, e.g. ``⟨U+001B⟩``; lines and tabs stay."""
    return _INVISIBLE.sub(lambda found: f"\u27e8U+{ord(found[0]):04X}\u27e9", text)


def one_line(text: str, longest: int | None = None) -> str:
    """``text`` made visible, on one line, cut with an ellipsis when it has more than ``longest`` characters."""
    flat = " ".join(visible(text).split())
    return flat if longest is None or len(flat) <= longest else f"{flat[: longest - 1]}\u2026"
