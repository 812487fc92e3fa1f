"""Guesses who changed a guarded file between experiments, from traces and from git; a guess, and shown as one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath

from .traces import LoggedCall, ToolCall, Traces

_SLACK_S = 2.0  # between a write and its trace
_REVIEW_S = 900.0  # a background review may think that long
_UNANSWERED_S = 600.0
_FILE_TOOLS = frozenset({"write_file", "patch"})
_SHELLS = frozenset({"terminal", "execute_code", "process"})
_SKILLS = "skills"
_MEMORIES = "memories"
_MAX_FILES, _MAX_BYTES = 500, 20_000_000  # of a bundled skill's folder


class Who(StrEnum):
    """The probable author of a change."""

    AGENT = "agent's own tool"
    BACKGROUND_REVIEW = "background review"
    CURATOR = "curator"
    HOST_UPDATE = "host update"
    GIT = "git"
    PERSON_OR_UNKNOWN = "person or unknown"


@dataclass(frozen=True)
class Author:
    """Who, and on what grounds: small facts such as the tool, the session or the commit."""

    who: Who
    facts: dict[str, str] = field(default_factory=dict)


NOBODY_KNOWN = Author(Who.PERSON_OR_UNKNOWN)


@dataclass(frozen=True)
class Edit:
    """A change to explain: where, and when it was made, epoch seconds."""

    home: Path
    relpath: PurePosixPath
    at: float

    @property
    def skills(self) -> list[PurePosixPath]:
        """The folders, innermost first, of which one is the skill the file belongs to."""
        is_skill = self.relpath.parts[0] == _SKILLS
        return [folder for folder in self.relpath.parents if len(folder.parts) > 1] if is_skill else []

    def is_at(self, start: float | None, end: float | None = None) -> bool:
        """Whether the edit falls between two moments, or close to one."""
        return start is not None and start - _SLACK_S <= self.at <= (start if end is None else end) + _SLACK_S


def from_traces(edit: Edit, traces: Traces) -> Author:
    """The first explanation that fits, the surest first."""
    return next(_explanations(edit, traces), NOBODY_KNOWN)


def _explanations(edit: Edit, traces: Traces) -> Iterator[Author]:
    yield from _by_call(edit, traces)
    yield from _by_log(edit, traces)
    yield from _by_usage(edit, traces)
    if edit.skills and any(edit.is_at(*run) for run in traces.curator_runs):
        yield Author(Who.CURATOR, {"trace": "curator report"})
    for folder in edit.skills:
        if folder.name in traces.bundled and _folder_digest(edit.home / folder) == traces.bundled[folder.name]:
            yield Author(Who.HOST_UPDATE, {"trace": "bundled manifest"})


def _by_call(edit: Edit, traces: Traces) -> Iterator[Author]:
    """A stored tool call that names the file and was running when it changed; the shortest one is the surest."""
    ends = [(one, one.answered_at or one.asked_at + _UNANSWERED_S) for one in traces.calls]
    fitting = [one for one, end in ends if edit.is_at(one.asked_at, end) and _names(one, edit)]
    for one in sorted(fitting, key=lambda call: (call.tool in _SHELLS, -call.asked_at)):
        yield Author(Who.AGENT, {"tool": one.tool, "session": one.session_id})


def _by_log(edit: Edit, traces: Traces) -> Iterator[Author]:
    """A logged call that no session stored: background work keeps its conversations out of the store."""
    for one in reversed(traces.logged):
        if one.tool != _tool_for(edit) or not edit.is_at(one.at):
            continue
        facts = {"tool": one.tool, "session": one.session_id}
        if one.session_id in traces.curators:
            yield Author(Who.CURATOR, facts)
        elif _in_review(one, traces):
            yield Author(Who.BACKGROUND_REVIEW, facts)
        else:
            yield Author(Who.AGENT, facts)


def _by_usage(edit: Edit, traces: Traces) -> Iterator[Author]:
    """The host notes when its skill tool changed a skill, also where it logs nothing."""
    for record in [traces.skills[folder.name] for folder in edit.skills if folder.name in traces.skills]:
        if edit.is_at(record.archived_at):
            yield Author(Who.CURATOR, {"trace": "archived"})
        if edit.is_at(record.patched_at):
            yield Author(Who.AGENT, {"tool": "skill_manage"})
        if record.by_agent and edit.is_at(record.created_at):
            yield Author(Who.BACKGROUND_REVIEW, {"tool": "skill_manage"})


def _tool_for(edit: Edit) -> str | None:
    return {_MEMORIES: "memory", _SKILLS: "skill_manage"}.get(edit.relpath.parts[0])


def _in_review(call: LoggedCall, traces: Traces) -> bool:
    return any(call.at - _REVIEW_S <= at <= call.at for at in traces.reviews)


def _names(call: ToolCall, edit: Edit) -> bool:
    """Whether a tool call says that it writes this file."""
    path = edit.relpath
    if call.tool == "memory":
        return path.parts[0] == _MEMORIES and path.stem == (call.argument("target") or "memory").upper()
    if call.tool == "skill_manage":
        return path.parts[0] == _SKILLS and call.argument("name") in path.parts[1:-1]
    if call.tool in _FILE_TOOLS:
        named = call.argument("path") or call.argument("patch")
        return _mentions(named, path)
    return call.tool in _SHELLS and _mentions(call.arguments, path)


def _mentions(text: str, path: PurePosixPath) -> bool:
    """Whether a path, or a command that may change folders first, names the file and the folder it lies in."""
    return path.name in text and (len(path.parts) == 1 or path.parent.name in text)


def _folder_digest(folder: Path) -> str | None:
    """As ``tools/skills_sync.py`` of the host computes it; None for a folder too big or too odd to be bundled."""
    found = hashlib.md5(usedforsecurity=False)
    try:
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
        if len(files) > _MAX_FILES or sum(path.stat().st_size for path in files) > _MAX_BYTES:
            return None
        for path in files:
            found.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    except (OSError, UnicodeEncodeError):
        return None
    return found.hexdigest()
