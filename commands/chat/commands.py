"""The words of ``/ratchet``, and who carries each of them out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from . import deciding, feedback, pause, scenario, views
from .text import Reply

_HELP = """\
For everyone
/ratchet status: what stands where
/ratchet list: the newest experiments
/ratchet show N: one experiment
/ratchet diff N: what it changes
/ratchet good|bad [note]: how the agent did in this chat's last session
/ratchet scenario [note]: that session went wrong, remember it
/ratchet pause [reason]: stop all changes
For deciders (chat.deciders)
/ratchet approve N: where to sign it
/ratchet reject N [reason]
/ratchet revert N [reason]
All else is done in a terminal (hermes ratchet --help) or in the dashboard, under Self-Improve."""
_ELSEWHERE = (
    "'{0}' is not done in a chat. Use a terminal (hermes ratchet {0} --help) or the dashboard, under Self-Improve."
)
_NUMBER = re.compile(r"#?([0-9]{1,18})")

_Words = Sequence[str]
_LOOKING: Mapping[str, Callable[[], Reply]] = MappingProxyType(
    {"status": views.status, "list": views.newest, "help": lambda: Reply(_HELP)}
)
_LOOKING_AT_ONE: Mapping[str, Callable[[int], Reply]] = MappingProxyType({"show": views.one, "diff": views.diff})
_SAYING: Mapping[str, Callable[[_Words], Reply]] = MappingProxyType(
    {
        "good": lambda words: feedback.say(True, words),
        "bad": lambda words: feedback.say(False, words),
        "scenario": scenario.remember,
        "pause": pause.pause,
    }
)
_DECIDING: Mapping[str, Callable[[int, _Words, str], Reply]] = MappingProxyType(
    {
        "approve": lambda number, _, raw: deciding.approve(number, raw),
        "reject": deciding.reject,
        "revert": deciding.revert,
    }
)


def carry_out(raw: str) -> Reply:
    """What ``/ratchet <raw>`` answers. Raises RatchetError and its kinds."""
    # Half a character cannot be stored; a chat may send one all the same.
    verb, *rest = raw.encode("utf-8", "backslashreplace").decode().split() or ["status"]
    if verb in _SAYING:
        return _SAYING[verb](rest)
    if verb in _LOOKING and not rest:
        return _LOOKING[verb]()
    number = _NUMBER.fullmatch(rest[0]) if rest else None
    if number and verb in _LOOKING_AT_ONE and len(rest) == 1:
        return _LOOKING_AT_ONE[verb](int(number[1]))
    if number and verb in _DECIDING:
        return _DECIDING[verb](int(number[1]), rest[1:], raw)
    return _not_here(verb)


def _not_here(verb: str) -> Reply:
    if verb in _LOOKING_AT_ONE or verb in _DECIDING:
        return Reply(f"Which experiment? /ratchet {verb} N; the newest ones: /ratchet list")
    elsewhere = verb not in _LOOKING and verb in _of_the_terminal()
    return Reply(_ELSEWHERE.format(verb) if elsewhere else _HELP)


def _of_the_terminal() -> set[str]:
    from ..arguments import commands

    return {name.partition(" ")[0] for name, _ in commands()}
