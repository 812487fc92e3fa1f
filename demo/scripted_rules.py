"""The rules the scripted model understands: plain sentences of a SOUL.md, memory or skill, each with one effect.

The scripted model is no language model. It searches its system prompt (and the skills it has loaded) for the sentences
of :data:`RULES` and obeys every one it finds, so a change of one sentence really changes what the agent does. Text it
does not know has no effect. Same request, same answer, always.

Without any rule it answers as a polite, long-winded assistant: it apologises, repeats the question and gives a plan in
three steps; a summary repeats the whole text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

APOLOGY = "I am sorry to keep you waiting. I apologise for any trouble."
WORD = re.compile(r"\S+")


@dataclass
class Draft:
    """An answer in the making: rules change it one after the other, in the order of :data:`RULES`."""

    question: str
    body: str
    apology: str = APOLOGY
    opening: str = ""
    closing: list[str] = field(default_factory=list)
    first_tools: list[str] = field(default_factory=list)

    @property
    def wants_summary(self) -> bool:
        return re.search(r"\bsummar", self.question, re.IGNORECASE) is not None

    def text(self) -> str:
        first = " ".join(part for part in (self.opening, self.apology, self.body) if part)
        return "\n".join([first, *self.closing])


Effect = Callable[[Draft, re.Match[str]], None]


@dataclass(frozen=True)
class Rule:
    """One sentence the scripted model obeys: how it reads, an example of it, and what it does to the answer."""

    name: str
    example: str
    pattern: str
    effect: Effect

    def found_in(self, prompt: str) -> Iterable[re.Match[str]]:
        return re.finditer(self.pattern, prompt, re.IGNORECASE)


def _fill(text: str) -> str:
    """``<one concrete step>`` and the like stand for a text of the agent's own."""
    return re.sub(r"<[^<>\n]+>", "take the first step above today", text).strip()


def _shorten(text: str, words: int) -> str:
    return " ".join(WORD.findall(text)[:words])


def _no_apology(draft: Draft, _: re.Match[str]) -> None:
    draft.apology = ""


def _at_most(draft: Draft, match: re.Match[str]) -> None:
    draft.apology, draft.body = "", _shorten(draft.body, int(match["n"]))


def _summary_at_most(draft: Draft, match: re.Match[str]) -> None:
    if draft.wants_summary:
        _at_most(draft, match)


def _one_word(draft: Draft, _: re.Match[str]) -> None:
    draft.apology, draft.opening, draft.body, draft.closing = "", "", "Noted.", []


def _start_with(draft: Draft, match: re.Match[str]) -> None:
    draft.opening = _fill(match["text"])


def _call_user(draft: Draft, match: re.Match[str]) -> None:
    draft.opening = f"{match['name']}, {draft.opening}".rstrip() if draft.opening else f"{match['name']},"


def _refuse(draft: Draft, match: re.Match[str]) -> None:
    if match["topic"].strip().lower() in draft.question.lower():
        draft.apology, draft.body = "", f"I cannot help with {match['topic'].strip()}."


def _end_with(draft: Draft, match: re.Match[str]) -> None:
    line = _fill(match["text"])
    if line not in draft.closing:
        draft.closing.append(line)


def _tool_first(draft: Draft, match: re.Match[str]) -> None:
    draft.first_tools.append(match["tool"])


RULES: Sequence[Rule] = (
    Rule("never apologise", "Never apologise.", r"\bnever apologi[sz]e\b", _no_apology),
    Rule(
        "refuse a topic",
        "Refuse questions about invoices.",
        r"\brefuse (?:all )?questions about (?P<topic>[^.\n]+)\.",
        _refuse,
    ),
    Rule(
        "short answers",
        "Answer in at most 30 words.",
        r"(?<!summary, )\banswer in at most (?P<n>\d{1,4}) words\b",
        _at_most,
    ),
    Rule(
        "short summaries",
        "When asked for a summary, answer in at most 12 words.",
        r"\bwhen asked for a summary, answer in at most (?P<n>\d{1,4}) words\b",
        _summary_at_most,
    ),
    Rule("a name", "Call the user Ada.", r"\bcall the user (?P<name>[A-Z][\w-]*)", _call_user),
    Rule(
        "an opening",
        "Always start answers with: Understood.",
        r"\balways start answers with: (?P<text>[^\n]+)",
        _start_with,
    ),
    Rule(
        "a closing line",
        "Always end answers with the line: NEXT: <one concrete step>.",
        r"\balways end answers with the line: (?P<text>[^\n]+?)\.?(?=\n|$)",
        _end_with,
    ),
    Rule(
        "a tool first",
        "Use the tool skills_list before answering.",
        r"\buse the tool `?(?P<tool>\w+)`? before answering\b",
        _tool_first,
    ),
    Rule("one word", "Answer in one word.", r"\banswer in one word\b", _one_word),
)


@dataclass(frozen=True)
class Reply:
    """What the model says: either text, or calls of tools as (name, arguments)."""

    text: str = ""
    tool_calls: tuple[tuple[str, str], ...] = ()


def reply(messages: Sequence[dict[str, Any]], tools: Iterable[str] = ()) -> Reply:
    """The answer to one chat-completions request; ``tools`` are the names the request offers."""
    offered = set(tools)
    turn = _current_turn(messages)
    question = _content(turn[0]) if turn else ""
    asked = re.search(r"USE_TOOL (\w+)\s*(\{.*\})?", question, re.DOTALL)
    if asked and len(turn) == 1:
        return Reply(tool_calls=((asked[1], asked[2] or "{}"),))
    draft = _draft(question, _instructions(messages))
    called = {call["function"]["name"] for message in turn for call in message.get("tool_calls") or ()}
    wanted = [(name, "{}") for name in draft.first_tools if name in offered - called]
    wanted += _skills_to_load(messages, question) if "skill_view" in offered - called else []
    return Reply(tool_calls=tuple(wanted)) if wanted else Reply(draft.text())


def _draft(question: str, instructions: str) -> Draft:
    literal = re.search(r"\breply with (?:exactly|only): *(.+)", question, re.IGNORECASE | re.DOTALL)
    if literal:
        return Draft(question, literal[1].strip(), apology="")
    draft = Draft(question, _plain_answer(question))
    for rule in RULES:
        for match in rule.found_in(instructions):
            rule.effect(draft, match)
    return draft


def _plain_answer(question: str) -> str:
    text = " ".join(question.split())[:400]
    if re.search(r"\bsummar", question, re.IGNORECASE):
        return f"In short: {text.partition(': ')[2] or text} That is all of it, with nothing left out."
    return (
        f'You asked: "{text}". First, write down what you know about it. '
        "Second, name the part that is unclear. Third, try the smallest change and look at the result."
    )


def _instructions(messages: Sequence[dict[str, Any]]) -> str:
    """All text that may hold rules: system messages, skills the host put in, and skills loaded with skill_view."""
    parts = []
    for message in messages:
        content = _content(message)
        if message.get("role") == "system" or content.startswith("[IMPORTANT: The user has invoked"):
            parts.append(content)
        elif message.get("role") == "tool":
            parts.append(_skill_text(content))
    return "\n".join(parts)


def _skill_text(result: str) -> str:
    try:
        parsed = json.loads(result)
    except ValueError:
        return ""
    return str(parsed.get("content") or "") if isinstance(parsed, dict) else ""


def _skills_to_load(messages: Sequence[dict[str, Any]], question: str) -> list[tuple[str, str]]:
    """Skills of the host's index that the question names."""
    index = "\n".join(_content(message) for message in messages if message.get("role") == "system")
    listed = re.search(r"<available_skills>\n(.*?)\n</available_skills>", index, re.DOTALL)
    names = re.findall(r"^ {4}- ([\w-]+)", listed[1], re.MULTILINE) if listed else []
    return [("skill_view", json.dumps({"name": name})) for name in names if name.lower() in question.lower()]


def _current_turn(messages: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """The last user message and everything after it."""
    for position in range(len(messages) - 1, -1, -1):
        if messages[position].get("role") == "user":
            return messages[position:]
    return ()


def _content(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")
