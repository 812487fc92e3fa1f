"""Runs the real agent once on one version of one file, and gives back what it did as a plain value.

:func:`run_agent_once` takes and returns values that can be pickled, so any ``concurrent.futures.Executor`` can run it.
Threads are enough here: the agent has a process of its own anyway.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import BadInput, RatchetError
from .agent_process import AgentProcess, terminate, terminate_all, under_way
from .arm_home import ArmHome, arm_home
from .exposure import Arm, Evidence, arm_met

__all__ = ["AgentRun", "RunRequest", "Tokens", "ToolCall", "run_agent_once", "terminate", "terminate_all"]

# Toolsets that can neither touch files outside the throw-away home nor start a program.
ALLOWED_TOOLSETS = frozenset({"clarify", "memory", "search", "session_search", "skills", "todo", "web"})
MAX_REASON = 500
CANCELLED = "the run was cancelled"


@dataclass(frozen=True)
class RunRequest:
    """One scenario for one arm.

    ``base`` and ``candidate`` are the two versions of ``relpath`` as bytes, None for "no such file"; ``arm`` says which
    of them this run gets. ``max_turns`` bounds the calls of the model, ``timeout_s`` the wall-clock seconds. ``group``
    is any label under which :func:`terminate` finds the run; ``parent`` the directory for throw-away homes, default
    the system's temporary one; keep it outside any repository.
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
    provably met the version of its arm, False when it met the other one, None when neither is proven. ``tokens`` and
    ``cost_micro_usd`` are None when unknown, never 0. ``completed`` means the agent ended its turn itself.
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


def run_agent_once(request: RunRequest) -> AgentRun:
    """Builds the arm's home, runs the agent on the scenario, and says what came of it.

    Whatever goes wrong around the agent (home, process, model, time) becomes ``error``. Raises BadInput only, for a
    toolset that an evaluation does not allow.
    """
    refused = sorted(set(request.toolsets) - ALLOWED_TOOLSETS)
    if refused:
        raise BadInput(
            f"Toolsets not allowed in an evaluation: {', '.join(refused)}. "
            f"Choose from {', '.join(sorted(ALLOWED_TOOLSETS))}."
        )
    started = time.monotonic()
    with under_way(request.group) as process:
        try:
            with arm_home(request.profile_home, request.relpath, _version(request), request.parent) as arm:
                outcome = _run_in(arm, request, process)
        except RatchetError as error:
            outcome = AgentRun(error=error.message)
        except OSError as error:
            outcome = AgentRun(error=f"the run could not be set up: {error}")
    return replace(outcome, seconds=time.monotonic() - started)


def _version(request: RunRequest) -> bytes | None:
    return request.candidate if request.arm is Arm.CANDIDATE else request.base


def _run_in(arm: ArmHome, request: RunRequest, process: AgentProcess) -> AgentRun:
    result, log, request_file = arm.root / "result.json", arm.root / "stderr", arm.root / "request.json"
    wishes = {"scenario_input": request.scenario_input, "toolsets": request.toolsets, "max_turns": request.max_turns}
    request_file.write_text(json.dumps({**wishes, "result": str(result)}), encoding="utf-8")
    status = process.run(arm, request_file, log, request.timeout_s)
    if process.cancelled.is_set():
        return AgentRun(error=CANCELLED)
    if process.timed_out:
        return AgentRun(error=f"the agent did not finish within {request.timeout_s:g} seconds")
    try:
        document = json.loads(result.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return AgentRun(error=_without(arm.secrets, f"the agent's process died: {_last_words(log, status)}"))
    if document["error"] is not None:
        document["error"] = _without(arm.secrets, document["error"])
    return _read(document, request)


def _last_words(log: Path, status: int) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit status {status}"


def _without(secrets: frozenset[str], text: str) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "[secret]")
    return text if len(text) <= MAX_REASON else text[:MAX_REASON] + "..."


def _read(document: Mapping[str, Any], request: RunRequest) -> AgentRun:
    """The worker's document as a value; a document with an error may hold nothing else."""
    cost = document.get("cost_usd")
    return AgentRun(
        answer=str(document.get("answer") or ""),
        tool_trace=tuple(ToolCall(c["name"], c["arguments"], c["ok"]) for c in document.get("tool_trace") or ()),
        tokens=_tokens(document.get("tokens") or {}),
        cost_micro_usd=None if cost is None else round(Decimal(str(cost)) * 1_000_000),
        model=str(document.get("model") or ""),
        provider=str(document.get("provider") or ""),
        error=document.get("error"),
        exposed=_exposed(document, request),
        completed=bool(document.get("completed")),
        exit_reason=str(document.get("exit_reason") or ""),
        session_id=str(document.get("session_id") or ""),
    )


def _tokens(figures: Mapping[str, int | None]) -> Tokens | None:
    """The figures, None when the model gave none: a real answer never costs zero tokens."""
    if not figures.get("total"):
        return None
    return Tokens(**{name: int(figures.get(name) or 0) for name in Tokens.__dataclass_fields__})


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
