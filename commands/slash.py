"""``/ratchet`` in a chat: short plain text to look at, a word on how the agent did, and where all else is done."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from ..errors import RatchetError
from .plain import one_line, visible

_HELP = (
    "/ratchet status - what stands where\n"
    "/ratchet list - the newest experiments\n"
    "/ratchet show N - one experiment and its diff\n"
    "/ratchet good|bad [note] - how the agent did in the last session of this chat\n"
    "Everything that changes a file is done in a terminal (hermes ratchet --help) or in the dashboard, "
    "under Self-Improve."
)
_ELSEWHERE = (
    "'{}' is not done in a chat. Use a terminal (hermes ratchet {} --help) or the dashboard, under Self-Improve."
)
_NUMBER = re.compile(r"#?[0-9]{1,18}")
_MOST_LINES = 24
_LONGEST_LINE = 160
_LISTED = 10


def answer(raw: str) -> str:
    """The answer to ``/ratchet <raw>``: at most a screenful; every failure is an answer too."""
    try:
        words = shlex.split(raw)
    except ValueError:
        words = raw.split()
    try:
        return _screenful(_answered(words))
    except RatchetError as error:
        text = error.message
    except ImportError as error:
        from ..installation import dependencies

        text = dependencies.explain(error)
    except Exception as error:  # a chat must get an answer, and the host would take silence for an unknown command
        text = f"This should not happen: {type(error).__name__}: {error}"
    return visible(text)  # whole: it may end with a command to copy


def _answered(words: Sequence[str]) -> str:
    verb, *rest = words or ["status"]
    if verb == "help":
        return _HELP
    if verb == "status" and not rest:
        return _status()
    if verb == "list" and not rest:
        return _list()
    if verb == "show" and len(rest) == 1 and _NUMBER.fullmatch(rest[0]):
        return _show(int(rest[0].lstrip("#")))
    if verb in ("good", "bad"):
        from . import chat_feedback

        return chat_feedback.answer(verb == "good", rest)
    if verb in ("status", "list", "show"):
        return _HELP
    shown = one_line(verb, 30)
    return _ELSEWHERE.format(shown, shown) if verb.isascii() and verb.replace("-", "").isalpha() else _HELP


def _status() -> str:
    from ..installation import overview
    from .session import opened

    with opened() as context:
        found = overview.look(context)
    daemon = "alive" if found.daemon.alive else "SILENT: nothing is applied, watched or taken back"
    lines = [f"approval: {found.approval}, daemon: {daemon}"]
    if found.trust.trouble:
        lines.append(found.trust.trouble.message)
    for one in found.profiles:
        flight = one.in_flight
        change = f", experiment {flight.id} on {flight.target_relpath}" if flight else ""
        label = "" if one.measured else ", unmeasured"
        lines.append(f"{one.profile}: {one.standing}{change}, {one.experiment_counts['proposed']} proposed{label}")
    return "\n".join(lines)


def _list() -> str:
    from ..ratchet import experiments
    from .session import opened

    with opened() as context:
        found = experiments.list_experiments(context, limit=_LISTED)
    lines = [
        f"{e.id} {e.state} {e.profile}/{e.target_relpath} ({e.evaluation_status}) {one_line(e.rationale, 60)}".rstrip()
        for e in found
    ]
    return "\n".join(lines) or "No experiments."


def _show(number: int) -> str:
    from ..ratchet import experiments
    from .session import opened

    with opened() as context:
        found = experiments.shown(context, number)
    scores = ""
    if found.baseline_score is not None and found.offline_score is not None:
        scores = f", {found.baseline_score:.0%} to {found.offline_score:.0%}"
    lines = [
        f"Experiment {found.id}: {found.state}, {found.profile}/{found.target_relpath}",
        f"evaluation: {found.evaluation_status}{scores}",
    ]
    if found.rationale:
        lines.append(one_line(found.rationale, _LONGEST_LINE))
    return "\n".join([*lines, "", found.diff.rstrip("\n")])


def _screenful(text: str) -> str:
    lines = [
        line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}\u2026" for line in visible(text).split("\n")
    ]
    if len(lines) <= _MOST_LINES:
        return "\n".join(lines)
    left = len(lines) - _MOST_LINES + 1
    return "\n".join([*lines[: _MOST_LINES - 1], f"\u2026 {left} more lines: see the terminal or the dashboard"])
