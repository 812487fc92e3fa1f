"""Which version of a file did a session provably meet: the baseline, the candidate, or nobody can say.

Hermes freezes its prompt files into the system prompt at the start of a session and stores that prompt, so the proof is
a search for what the host makes of each version. What it makes of a file (hermes-agent 0.19.0), and what counts here:

* ``SOUL.md``: decoded as UTF-8, line ends made ``\\n``, stripped, a leading byte-order mark dropped, and put *first*
  into the prompt. A text over the host's limit keeps a head and a tail around a marker that names both lengths; then
  the changed words must lie in what was kept. An absent or empty file leaves the host's default identity, known only
  when ``Evidence.default_identity`` holds it. A text the host takes for an injection becomes a placeholder: no proof.
* ``memories/MEMORY.md`` and ``USER.md``: entries separated by a line ``§``, stripped, without doubles, in a block
  whose header states its length. The agent adds entries of its own all the time, so only the entries the change adds
  or removes are looked for, not the whole file; a version that only lacks an entry is proven only while the block
  holds nothing but entries of the two versions (the host shows a blocked entry as a placeholder).
* ``skills/**/SKILL.md``: one index line of name and description, cut to 60 characters, in the prompt; the rest of the
  file only through the ``skill_view`` tool or an injected message, there as the whole text. Other files of a skill
  have the second kind of evidence only.

Contradicting evidence (a skill read before and after a change) proves nothing, and neither do two versions of which the
host makes the same thing. Pure functions: no file is read, no clock, no database.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from . import front_matter
from .front_matter import Unreadable

SKILL_TEXT_LIMIT = 60
_SOUL_CUT = re.compile(r"\n\n\[\.\.\.truncated SOUL\.md: kept (\d{1,9})\+(\d{1,9}) of (\d{1,9}) chars\.[^\n]*\]\n\n")
_MEMORY_HEADERS = {"MEMORY.md": r"MEMORY \(your personal notes\)", "USER.md": r"USER PROFILE \(who the user is\)"}
_LONGEST_PATH = 4096
_MOST_DIRECTORIES = 20
"""How many different directories a message may name: each is compared with the whole message."""


class Arm(StrEnum):
    """One side of a comparison."""

    BASELINE = "baseline"
    CANDIDATE = "candidate"


@dataclass(frozen=True)
class Evidence:
    """What a session left behind that can show which version it met.

    ``tool_results`` are the contents of its tool messages, ``user_messages`` those of its user messages (the host puts
    an invoked skill there). ``default_identity`` is the host's text for a profile without SOUL.md, empty when unknown.
    ``skills_offered`` and ``memory_offered`` say whether the session had skills and memory at all, so that the absence
    of a block means something; None when nobody knows, as with most real sessions.
    """

    system_prompt: str = ""
    tool_results: tuple[str, ...] = ()
    user_messages: tuple[str, ...] = ()
    default_identity: str = ""
    skills_offered: bool | None = None
    memory_offered: bool | None = None


def arm_met(relpath: str, base: bytes | None, candidate: bytes | None, evidence: Evidence) -> Arm | None:
    """The version of ``relpath`` the session provably met, None when neither is proven.

    ``base`` and ``candidate`` are the file's exact bytes, None for "no such file"; ``relpath`` is relative to the
    profile, with forward slashes.
    """
    if base == candidate:
        return None
    path = PurePosixPath(relpath)
    versions = _text(base), _text(candidate)
    if relpath == "SOUL.md":
        return _soul_met(*versions, evidence)
    if path.parent.as_posix() == "memories" and path.name in _MEMORY_HEADERS:
        return _memory_met(path.name, *versions, evidence)
    if path.parts[:1] == ("skills",):
        return _skill_met(path, *versions, evidence)
    return None


def _text(content: bytes | None) -> str | None:
    """The file as the host reads it; text that is not UTF-8 never reaches a prompt, as if there were none."""
    if content is None:
        return None
    try:
        return content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        return None


def _only(base: bool, candidate: bool) -> Arm | None:
    """The arm whose evidence is there while the other's is not."""
    if base == candidate:
        return None
    return Arm.CANDIDATE if candidate else Arm.BASELINE


def index_changes(relpath: str, base: bytes | None, candidate: bytes | None) -> bool:
    """Whether the host's list of skills shows the two versions differently: what long-lived processes keep."""
    path = PurePosixPath(relpath)
    if path.parts[:1] != ("skills",) or path.name != "SKILL.md":
        return False
    try:
        return _index_line(path.parent.name, _text(base)) != _index_line(path.parent.name, _text(candidate))
    except Unreadable:  # to restart for nothing harms nobody
        return True


# --- SOUL.md


def _soul_met(base: str | None, candidate: str | None, evidence: Evidence) -> Arm | None:
    texts = [_identity(version) or evidence.default_identity for version in (base, candidate)]
    if not all(texts) or texts[0] == texts[1]:
        return None
    shown = [_opens_with(evidence.system_prompt, texts[n], texts[1 - n]) for n in (0, 1)]
    if all(shown):
        # One text is the beginning of the other: only the longer one, seen in full, can be the reason.
        return Arm.CANDIDATE if len(texts[1]) > len(texts[0]) else Arm.BASELINE
    return _only(*shown)


def _identity(soul: str | None) -> str:
    return (soul or "").strip().removeprefix("\ufeff").strip()


def _opens_with(prompt: str, text: str, other: str) -> bool:
    """Whether the prompt begins with ``text`` as the host shows it, with everything in which ``other`` differs."""
    if prompt == text or prompt.startswith(f"{text}\n\n"):
        return True
    cut = _SOUL_CUT.search(prompt)
    if cut is None:
        return False
    head, tail, total = map(int, cut.groups())
    start, end = _changed_span(text, other)
    kept = end <= head or start >= total - tail
    shown = prompt.startswith(text[:head] + cut[0] + text[len(text) - tail :])
    return total == len(text) and shown and kept


def _changed_span(text: str, other: str) -> tuple[int, int]:
    """The characters of ``text`` in which it differs from ``other``; for a pure deletion the two around the gap."""
    shortest = min(len(text), len(other))
    start = next((n for n in range(shortest) if text[n] != other[n]), shortest)
    same_end = next((n for n in range(shortest - start) if text[-1 - n] != other[-1 - n]), shortest - start)
    end = len(text) - same_end
    return (start, end) if end > start else (max(0, start - 1), min(len(text), start + 1))


# --- memories


def _memory_met(name: str, base: str | None, candidate: str | None, evidence: Evidence) -> Arm | None:
    before, after = _entries(base), _entries(candidate)
    shown = _shown_entries(name, evidence)
    if shown is None or before == after:
        return None
    # An entry of neither version may be the changed one, reworded or blocked: then absence proves nothing.
    foreign = bool(shown - before - after)
    return _only(
        base=_shows(shown, before - after, after - before, foreign),
        candidate=_shows(shown, after - before, before - after, foreign),
    )


def _shows(shown: frozenset[str], own: frozenset[str], others: frozenset[str], foreign: bool) -> bool:
    """Whether a version's own entries are shown and the other's are not; without own ones, nothing foreign may be."""
    return own <= shown and not others & shown and (bool(own) or not foreign)


def _entries(memory: str | None) -> frozenset[str]:
    return frozenset(entry.strip() for entry in (memory or "").split("\n§\n") if entry.strip())


def _shown_entries(name: str, evidence: Evidence) -> frozenset[str] | None:
    """The entries of this file's block in the prompt, None when it cannot be told whether there was one."""
    header = rf"═{{46}}\n{_MEMORY_HEADERS[name]} \[\d+% — (\d[\d,]{{0,11}})/[\d,]+ chars\]\n═{{46}}\n"
    blocks = list(re.finditer(header, evidence.system_prompt))
    if not blocks:
        return frozenset() if evidence.memory_offered else None
    # The host puts memory after everything else: a look-alike in an earlier file is not it.
    start, length = blocks[-1].end(), int(blocks[-1][1].replace(",", ""))
    return _entries(evidence.system_prompt[start : start + length])


# --- skills


def _skill_met(path: PurePosixPath, base: str | None, candidate: str | None, evidence: Evidence) -> Arm | None:
    found = {_viewed(result, base, candidate) for result in evidence.tool_results}
    found |= {_injected(message, base, candidate) for message in evidence.user_messages}
    if path.name == "SKILL.md":
        found.add(_index_met(path.parent.name, base, candidate, evidence))
    found.discard(None)
    return found.pop() if len(found) == 1 else None


def _viewed(result: str, base: str | None, candidate: str | None) -> Arm | None:
    """The version whose whole text this tool result carries."""
    try:
        # The host appends notes of its own behind the object.
        parsed, _ = json.JSONDecoder().raw_decode(result)
    except (ValueError, RecursionError):  # a tool returns whatever a web page holds, brackets without end included
        return None
    if not isinstance(parsed, dict) or not isinstance(parsed.get("content"), str):
        return None
    directory = str(parsed.get("skill_dir") or "")
    return _only(*(v is not None and _filled(v, directory) == parsed["content"] for v in (base, candidate)))


def _injected(message: str, base: str | None, candidate: str | None) -> Arm | None:
    """The version whose whole text the host put into this user message, between its note and the skill's directory."""
    if not message.startswith("[IMPORTANT: The user has invoked"):
        return None
    named = dict.fromkeys(re.findall(r"^\[Skill directory: (.*)\]$", message, re.MULTILINE))
    for directory in list(named)[:_MOST_DIRECTORIES]:
        end = f"\n\n[Skill directory: {directory}]"
        met = _only(
            *(v is not None and f"\n\n{_filled(v, directory).strip()}{end}" in message for v in (base, candidate))
        )
        if met:
            return met
    return None


def _filled(text: str, directory: str) -> str:
    return text.replace("${HERMES_SKILL_DIR}", directory) if 0 < len(directory) <= _LONGEST_PATH else text


def _index_met(folder: str, base: str | None, candidate: str | None, evidence: Evidence) -> Arm | None:
    try:
        lines = [_index_line(folder, version) for version in (base, candidate)]
    except Unreadable:
        return None
    index = _index(evidence)
    if index is None or lines[0] == lines[1]:
        return None
    shown = [line is not None and f"\n{line}\n" in index for line in lines]
    if any(shown):
        return _only(*shown)
    # Nothing of it in the index proves the version without the file, if the other one cannot be hidden.
    if None in lines and _always_listed(base or candidate or "") and "[names only]" not in index:
        return Arm.BASELINE if base is None else Arm.CANDIDATE
    return None


def _index(evidence: Evidence) -> str | None:
    """The host's list of skills, None when it cannot be told whether the session had one."""
    prompt, begin, end = evidence.system_prompt, "<available_skills>\n", "\n</available_skills>"
    at = prompt.find("## Skills (mandatory)\n")
    opened = prompt.find(begin, at) if at >= 0 else -1
    closed = prompt.find(end, opened + len(begin)) if opened >= 0 else -1
    if closed >= 0:
        return prompt[opened + len(begin) - 1 : closed + 1]
    return "\n" if evidence.skills_offered else None


def _index_line(folder: str, skill: str | None) -> str | None:
    """The line of the host's index for this SKILL.md, None when there is no file. Raises Unreadable."""
    if skill is None:
        return None
    fields = front_matter.read(skill)
    description = str(fields.get("description") or "").strip().strip("'\"")
    if len(description) > SKILL_TEXT_LIMIT:
        description = description[: SKILL_TEXT_LIMIT - 3] + "..."
    name = fields.get("name", folder)
    return f"    - {name}: {description}" if description else f"    - {name}"


def _always_listed(skill: str) -> bool:
    """Whether the file is well-formed and none of its own conditions can keep it out of the index."""
    fields = front_matter.read(skill)
    return "description" in fields and not fields.keys() & {"platforms", "environments", "metadata"}
