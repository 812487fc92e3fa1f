"""Runs the real Hermes agent in a process of its own, one conversation per line of standard input.

This script imports Hermes and nothing of ours: it is started with HERMES_HOME set to a throw-away home, and one process
serves one home for its whole life. Whoever started it puts the home into its exact state before each request; this
script drops what the host remembers of the state before. A request is a JSON object with ``scenario_input``,
``toolsets`` and ``max_turns``, or ``{"ask": "base_url"}``; the answer is one line of JSON on what was standard output.
Whatever goes wrong stands there as ``error``; no answer means the process died.

When standard input ends, whoever started this process is gone, and it ends with all it started.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import sqlite3
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO

# What the host reports when it could not talk to the model, as opposed to an agent that behaved badly.
INFRASTRUCTURE_EXITS = ("all_retries_exhausted", "interrupted", "local_processing_error", "ollama_runtime")


def _take_requests(requests: SimpleQueue[bytes]) -> None:
    """Hands on each line of standard input; ends this process group as soon as its other end is closed."""
    for line in sys.stdin.buffer:
        requests.put(line)
    os.killpg(0, signal.SIGKILL)


def _forget() -> None:
    """Drops what the host keeps in memory of the home's files, whose times and sizes may be those of other contents."""
    from agent import skill_bundles, skill_utils
    from agent.prompt_builder import clear_skills_system_prompt_cache
    from hermes_cli import config
    from tools import skills_tool

    clear_skills_system_prompt_cache(clear_snapshot=True)
    skills_tool._SKILLS_CACHE.clear()
    skill_bundles._bundles_cache.clear()
    skill_bundles._bundles_cache_mtime = None
    for cache in (
        skill_utils._RAW_CONFIG_CACHE,
        skill_utils._EXTERNAL_DIRS_CACHE,
        config._LOAD_CONFIG_CACHE,
        config._RAW_CONFIG_CACHE,
    ):
        cache.clear()


def _model_name(config: dict[str, Any]) -> str:
    model = config.get("model") or {}
    name = model if isinstance(model, str) else model.get("default") or model.get("model")
    return os.environ.get("HERMES_INFERENCE_MODEL", "").strip() or str(name or "")


def _provider_routing(config: dict[str, Any]) -> dict[str, Any]:
    """The OpenRouter preferences, under the names the agent's constructor gives them."""
    routing = config.get("provider_routing") or {}
    names = {
        "providers_allowed": "only",
        "providers_ignored": "ignore",
        "providers_order": "order",
        "provider_sort": "sort",
        "provider_data_collection": "data_collection",
    }
    return {argument: routing.get(key) for argument, key in names.items()}


def _build_agent(request: dict[str, Any], sessions: Any) -> Any:
    """The agent as ``hermes chat`` would build it, without fallback models, terminal niceties and project files."""
    from hermes_cli.config import load_config
    from hermes_cli.runtime_provider import resolve_runtime_provider
    from hermes_constants import resolve_reasoning_config
    from run_agent import AIAgent

    config = load_config()
    model = _model_name(config)
    runtime = resolve_runtime_provider(target_model=model or None)
    model = model or str(runtime.get("model") or "")
    agent_section = config.get("agent") or {}
    return AIAgent(
        base_url=runtime.get("base_url"),
        api_key=runtime.get("api_key"),
        provider=runtime.get("provider"),
        api_mode=runtime.get("api_mode"),
        credential_pool=runtime.get("credential_pool"),
        request_overrides=runtime.get("request_overrides"),
        model=model,
        reasoning_config=resolve_reasoning_config(config, model),
        ephemeral_system_prompt=agent_section.get("system_prompt") or None,
        enabled_toolsets=request["toolsets"],
        max_iterations=request["max_turns"],
        session_db=sessions,
        platform="cli",
        quiet_mode=True,
        # Project files of the scratch directory's parents are none of the profile's.
        skip_context_files=True,
        load_soul_identity=True,
        **_provider_routing(config),
    )


def _call_worked(result: str) -> bool:
    """Whether a tool's result reports success; the host has several ways to say no."""
    try:
        parsed = json.loads(result)
    except ValueError:
        return not result.lstrip().startswith("Error")
    if not isinstance(parsed, dict):
        return True
    return parsed.get("success") is not False and not parsed.get("error") and not parsed.get("exit_code")


def _text(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _tool_trace(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every tool call in order, with its result; ``ok`` is false for one that failed or was never answered."""
    results = {m.get("tool_call_id"): _text(m.get("content") or "") for m in messages if m.get("role") == "tool"}
    calls = [call for m in messages if m.get("role") == "assistant" for call in m.get("tool_calls") or ()]
    return [
        {
            "name": call["function"]["name"],
            "arguments": _text(call["function"].get("arguments") or "{}"),
            "result": results.get(call.get("id"), ""),
            "ok": call.get("id") in results and _call_worked(results[call.get("id")]),
        }
        for call in calls
    ]


def _stored_prompt(session_id: str) -> str:
    """The system prompt as the host stored it for this session."""
    database = Path(os.environ["HERMES_HOME"], "state.db")
    with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        row = connection.execute("SELECT system_prompt FROM sessions WHERE id = ?", (session_id,)).fetchone()
    return str(row[0] or "") if row else ""


def _failure(result: dict[str, Any]) -> str | None:
    reason = str(result.get("turn_exit_reason") or "")
    if result.get("failed") or result.get("interrupted") or reason.startswith(INFRASTRUCTURE_EXITS):
        return str(result.get("error") or result.get("final_response") or reason or "the agent reported a failure")
    return None


def run(request: dict[str, Any]) -> dict[str, Any]:
    """One conversation of one turn. Returns the answer as ``runner.py`` reads it."""
    from agent.prompt_builder import DEFAULT_AGENT_IDENTITY
    from hermes_state import SessionDB

    sessions = SessionDB()
    agent = _build_agent(request, sessions)
    try:
        result = agent.run_conversation(request["scenario_input"])
    finally:
        agent.close()
        sessions.close()
    messages = result.get("messages") or []
    known_cost = result.get("cost_status") not in (None, "", "unknown")
    return {
        "error": _failure(result),
        "answer": result.get("final_response") or "",
        "completed": bool(result.get("completed")),
        "exit_reason": str(result.get("turn_exit_reason") or ""),
        "tool_trace": _tool_trace(messages),
        "user_messages": [_text(m.get("content") or "") for m in messages if m.get("role") == "user"],
        "tokens": {
            name: result.get(f"{name}_tokens")
            for name in ("input", "output", "cache_read", "cache_write", "reasoning", "total")
        },
        "cost_usd": result.get("estimated_cost_usd") if known_cost else None,
        "model": result.get("model") or "",
        "provider": result.get("provider") or "",
        "session_id": result.get("session_id") or "",
        "calls": result.get("api_calls"),
        "system_prompt": _stored_prompt(result.get("session_id") or ""),
        "tools": sorted(agent.valid_tool_names),
        "memory": {
            "MEMORY.md": bool(getattr(agent, "_memory_enabled", False)),
            "USER.md": bool(getattr(agent, "_user_profile_enabled", False)),
        },
        "default_identity": DEFAULT_AGENT_IDENTITY,
    }


def _where(request: dict[str, Any]) -> dict[str, Any]:
    """Where the model of this home is."""
    from hermes_cli.config import load_config
    from hermes_cli.runtime_provider import resolve_runtime_provider

    runtime = resolve_runtime_provider(target_model=_model_name(load_config()) or None)
    return {"error": None, request["ask"]: str(runtime.get("base_url") or "")}


def _open_door() -> None:
    """In a sandbox: what connects to the model's port on loopback gets through the socket that leads there."""
    path, port = os.environ.pop("RATCHET_MODEL_SOCKET", ""), os.environ.pop("RATCHET_MODEL_PORT", "")
    if path:
        door = socket.create_server(("127.0.0.1", int(port)))
        threading.Thread(target=_let_through, args=(door, path), daemon=True).start()


def _let_through(door: socket.socket, path: str) -> None:
    while True:
        inside, _ = door.accept()
        outside = socket.socket(socket.AF_UNIX)
        outside.connect(path)
        for pair in ((inside, outside), (outside, inside)):
            threading.Thread(target=_pump, args=pair, daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(1 << 16):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _answered(line: bytes) -> dict[str, Any]:
    try:
        _forget()
        request = json.loads(line)
        return _where(request) if "ask" in request else run(request)
    except Exception as error:  # every failure of the host must reach whoever asked
        return {"error": f"{type(error).__name__}: {error}"}


def _own_output() -> BinaryIO:
    """What was standard output; from here on nothing else of this process, nor its children, can write there."""
    answers = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    return answers


def main() -> None:
    """Answers one request after the other until standard input ends."""
    answers, requests = _own_output(), SimpleQueue[bytes]()
    # A log would be a trace of one run in the home of the next.
    logging.disable(logging.CRITICAL)
    _open_door()
    threading.Thread(target=_take_requests, args=(requests,), daemon=True).start()
    while True:
        document = _answered(requests.get())
        answers.write(json.dumps(document, default=str).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
