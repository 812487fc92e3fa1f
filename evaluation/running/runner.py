"""Runs the real agent once on one version of one file, and gives back what it did as a plain value.

:func:`run_agent_once` takes and returns values that can be pickled, so any ``concurrent.futures.Executor`` can run it.
Threads are enough here: the agent has a process of its own anyway, which serves one run after the other while somebody
keeps workers warm (:mod:`.workers`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import BadInput, ModelUnavailable, RatchetError
from . import workers
from .agent_process import Died, TimedOut, Turn, terminate, terminate_all, under_way
from .arm_home import ModelAccess, model_access
from .exposure import Arm, Evidence, arm_met
from .sandbox import TOOLS, Address, bubblewrap, missing_tool

__all__ = ["AgentRun", "RunRequest", "Tokens", "ToolCall", "run_agent_once", "terminate", "terminate_all"]

# Toolsets that can neither touch files outside the throw-away home nor start a program; others need a sandbox.
ALLOWED_TOOLSETS = frozenset({"clarify", "memory", "search", "session_search", "skills", "todo", "web"})
_NEED_NETWORK = frozenset({"search", "web"})
MAX_REASON = 500
MAX_FIGURE = 2**53
CANCELLED = "the run was cancelled"
_addresses: dict[ModelAccess, Address] = {}


@dataclass(frozen=True)
class RunRequest:
    """One scenario for one arm.

    ``base`` and ``candidate`` are the two versions of ``relpath`` as bytes, None for "no such file"; ``arm`` says which
    of them this run gets. ``max_turns`` bounds the calls of the model, ``timeout_s`` the wall-clock seconds. ``group``
    is any label under which :func:`terminate` finds the run; ``parent`` the directory for throw-away homes, default
    the system's temporary one; keep it outside any repository. ``needs`` are the tools without which the scenario
    makes no sense.
    """

    profile_home: Path
    relpath: str
    arm: Arm
    base: bytes | None
    candidate: bytes | None
    scenario_input: str
    toolsets: tuple[str, ...] = ("skills",)
    max_turns: int = 12
    timeout_s: float = 120.0
    group: str = ""
    parent: Path | None = None
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ToolCall:
    """One call of a tool: ``arguments`` is the JSON text the model wrote, ``ok`` whether the tool reported success."""

    name: str
    arguments: str
    ok: bool


@dataclass(frozen=True)
class Tokens:
    """The model's own figures for a whole run."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    reasoning: int
    total: int


@dataclass(frozen=True)
class AgentRun:
    """What came of one run.

    ``error`` says why there is no result; everything else is then as far as it got. ``exposed`` is True when the run
    provably met the version of its arm, False when it met the other one, None when neither is proven. ``tokens``,
    ``cost_micro_usd`` and ``calls`` of the model are None when unknown. ``completed`` means the agent ended its turn
    itself, ``transient`` that another try may well succeed, ``refused`` that there was none, ``attempts`` how many
    tries these figures add up.
    """

    answer: str = ""
    tool_trace: tuple[ToolCall, ...] = ()
    tokens: Tokens | None = None
    cost_micro_usd: int | None = None
    model: str = ""
    provider: str = ""
    seconds: float = 0.0
    error: str | None = None
    exposed: bool | None = None
    completed: bool = False
    exit_reason: str = ""
    session_id: str = ""
    calls: int | None = None
    attempts: int = 1
    transient: bool = False
    refused: bool = False


def run_agent_once(request: RunRequest) -> AgentRun:
    """Puts a worker's home into the arm's state, runs the agent on the scenario, and says what came of it.

    Whatever goes wrong around the agent (home, process, model, time, an answer that nobody can read) becomes
    ``error``. Raises BadInput only, for a toolset that an evaluation does not allow.
    """
    check_toolsets(request.toolsets)
    if lacking := missing_tool(request.needs, request.toolsets):
        return AgentRun(error=f"this scenario is not run: {lacking}", refused=True)
    started = time.monotonic()
    with under_way(request.group) as turn:
        try:
            outcome = _run(request, turn)
        except RatchetError as error:
            outcome = AgentRun(error=error.message)
        except OSError as error:
            outcome = AgentRun(error=f"the run could not be set up: {error}", transient=True)
        except Exception as error:  # whatever a model or a tool said: it concerns this run alone
            outcome = AgentRun(error=f"what the agent did could not be read: {type(error).__name__}")
    if turn.cancelled.is_set():
        outcome = AgentRun(error=CANCELLED)
    return replace(outcome, seconds=time.monotonic() - started)


def check_toolsets(toolsets: Collection[str]) -> None:
    """Raises BadInput for a toolset, or a combination of them, that an evaluation does not allow."""
    if refused := sorted(set(toolsets) - ALLOWED_TOOLSETS - TOOLS.keys()):
        allowed = ", ".join(sorted(ALLOWED_TOOLSETS | TOOLS.keys()))
        raise BadInput(f"Toolsets not allowed in an evaluation: {', '.join(refused)}. Choose from {allowed}.")
    if (inside := TOOLS.keys() & set(toolsets)) and (outside := _NEED_NETWORK & set(toolsets)):
        raise BadInput(
            f"Toolsets {', '.join(sorted(inside))} run in a sandbox that reaches the model only; take "
            f"{', '.join(sorted(outside))} out of evaluation.toolsets, or them."
        )


def _version(request: RunRequest) -> bytes | None:
    return request.candidate if request.arm is Arm.CANDIDATE else request.base


def _run(request: RunRequest, turn: Turn) -> AgentRun:
    access = model_access(request.profile_home)
    try:
        answer = _answer(request, access, turn)
    except TimedOut:
        return AgentRun(error=f"the agent did not finish within {request.timeout_s:g} seconds")
    except Died as last_words:
        return AgentRun(error=_without(access.secrets, f"the agent's process died: {last_words}"), transient=True)
    try:
        document = _readable(json.loads(answer))
    except ValueError:
        return AgentRun(error="the agent's process answered with something that is not JSON", transient=True)
    exposed = _exposed(document, request)  # of the texts as they were: the file itself may hold what is taken out
    return replace(_read(_scrubbed(document, access.secrets)), exposed=exposed)


def _answer(request: RunRequest, access: ModelAccess, turn: Turn) -> bytes:
    """What a worker says to the request: a warm one, or one in a sandbox for this run only when its tools need that."""
    toolsets, deadline = set(request.toolsets), time.monotonic() + request.timeout_s
    sandboxed = bool(toolsets & TOOLS.keys()) and bubblewrap() is not None
    if not sandboxed:
        toolsets -= TOOLS.keys()
    wishes = {
        "scenario_input": request.scenario_input,
        "toolsets": sorted(toolsets),
        "max_turns": request.max_turns,
    }
    model = _model_address(request, access, turn) if sandboxed else None
    leased = workers.single(access, request.parent, model) if model else workers.leased(access, request.parent)
    with leased as worker:
        worker.home.furnish(request.profile_home, request.relpath, _version(request))
        return worker.ask(turn, json.dumps(wishes).encode(), deadline - time.monotonic())


def _model_address(request: RunRequest, access: ModelAccess, turn: Turn) -> Address:
    """Where the host finds the model: only the host knows, so one of its processes is asked, once per way to it."""
    if access not in _addresses:
        with workers.leased(access, request.parent) as worker:
            worker.home.furnish(request.profile_home, request.relpath, _version(request))
            document = json.loads(worker.ask(turn, b'{"ask": "base_url"}', request.timeout_s))
        if document["error"] is not None:
            raise ModelUnavailable(_without(access.secrets, f"The host has no way to the model: {document['error']}"))
        _addresses[access] = Address.of(str(document.get("base_url") or ""))
    return _addresses[access]


def _without(secrets: frozenset[str], text: str) -> str:
    text = _scrubbed(text, secrets)
    return text if len(text) <= MAX_REASON else text[:MAX_REASON] + "..."


def _scrubbed(document: Any, secrets: frozenset[str]) -> Any:
    """A document without the values by which the agent reaches its model, also as they stand in a JSON text."""
    spelled = {form for secret in secrets for form in (secret, json.dumps(secret)[1:-1])}
    longest_first = sorted(spelled, key=len, reverse=True)

    def without(text: str) -> str:
        for secret in longest_first:
            text = text.replace(secret, "[secret]")
        return text

    return _each_text(document, without)


def _readable(document: Any) -> Any:
    """A document whose texts can be stored: half a character, which JSON can carry, becomes a question mark."""
    return _each_text(document, lambda text: text.encode("utf-8", "replace").decode("utf-8"))


def _each_text(document: Any, change: Callable[[str], str]) -> Any:
    if isinstance(document, str):
        return change(document)
    if isinstance(document, list):
        return [_each_text(one, change) for one in document]
    if isinstance(document, dict):
        return {change(name): _each_text(one, change) for name, one in document.items()}
    return document


def _read(document: Mapping[str, Any]) -> AgentRun:
    """The worker's document as a value; a document with an error may hold nothing else."""
    cost, error = document.get("cost_usd"), document["error"]
    return AgentRun(
        answer=str(document.get("answer") or ""),
        tool_trace=tuple(
            ToolCall(str(c["name"]), str(c["arguments"]), bool(c["ok"])) for c in document.get("tool_trace") or ()
        ),
        tokens=_tokens(document.get("tokens") or {}),
        cost_micro_usd=None if cost is None else _figure(round(Decimal(str(cost)) * 1_000_000)),
        model=str(document.get("model") or ""),
        provider=str(document.get("provider") or ""),
        error=None if error is None else _without(frozenset(), str(error)),
        completed=bool(document.get("completed")),
        exit_reason=str(document.get("exit_reason") or ""),
        session_id=str(document.get("session_id") or ""),
        calls=None if document.get("calls") is None else _figure(document["calls"]),
        transient=error is not None,
    )


def _figure(number: Any) -> int:
    """A figure that the database can hold. Raises ValueError."""
    if not 0 <= int(number) <= MAX_FIGURE:
        raise ValueError(f"{number} is no figure of a run")
    return int(number)


def _tokens(figures: Mapping[str, int | None]) -> Tokens | None:
    """The figures, None when the model gave none: a real answer never costs zero tokens."""
    if not figures.get("total"):
        return None
    return Tokens(**{name: _figure(figures.get(name) or 0) for name in Tokens.__dataclass_fields__})


def _exposed(document: Mapping[str, Any], request: RunRequest) -> bool | None:
    offered = document.get("tools") or ()
    evidence = Evidence(
        system_prompt=str(document.get("system_prompt") or ""),
        tool_results=tuple(call["result"] for call in document.get("tool_trace") or ()),
        user_messages=tuple(document.get("user_messages") or ()),
        default_identity=str(document.get("default_identity") or ""),
        skills_offered="skill_view" in offered,
        memory_offered=bool((document.get("memory") or {}).get(PurePosixPath(request.relpath).name)),
    )
    met = arm_met(request.relpath, request.base, request.candidate, evidence)
    return None if met is None else met is request.arm
