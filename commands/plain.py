"""Text of others made safe for a terminal or a chat: what would be invisible, move the cursor or reorder is named."""

from __future__ import annotations

import re

# The same characters the dashboard page names: C0 and C1 controls but tab and newline, bidi and zero-width characters,
# tags; and lone surrogates, which no terminal can be sent.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e01ef]"
)
_LONGEST_WORD, _LONGEST_TEXT = 200, 1_500
_MOST_LOOKED_AT = 1 << 20
_ENDLESS = re.compile(rf"\S{{{_LONGEST_WORD + 1},}}")


def visible(text: str) -> str:
    """``text`` with each such character written as its code point, e.g. ``⟨U+001B⟩``; lines and tabs stay."""
    return _INVISIBLE.sub(lambda found: f"\u27e8U+{ord(found[0]):04X}\u27e9", text)


def bounded(text: str) -> str:
    """``text`` made visible, without its middle where it quotes more than anybody reads."""
    short = _ENDLESS.sub(lambda found: _without_middle(found[0], _LONGEST_WORD), visible(text[:_MOST_LOOKED_AT]))
    return _without_middle(short, _LONGEST_TEXT)


def _without_middle(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest // 2]}\u2026{text[-longest // 4 :]}"


def one_line(text: str, longest: int | None = None) -> str:
    """``text`` made visible, on one line, cut with an ellipsis when it has more than ``longest`` characters."""
    flat = " ".join(visible(text).split())
    return flat if longest is None or len(flat) <= longest else f"{flat[: longest - 1]}\u2026"
