"""Runs the real Hermes agent once, in a process of its own: ``python -P worker.py REQUEST.json``.

This script imports Hermes and nothing of ours: it is started with HERMES_HOME set to a throw-away home, and one process
serves one home for its whole life. The request names ``scenario_input``, ``toolsets``, ``max_turns`` and ``result``,
the path of the JSON file this script leaves behind. Whatever goes wrong stands in that file as ``error``; a missing
file means the process died.

Standard input is a pipe nobody writes to: when it ends, whoever started this run is gone, and the run ends with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any

# What the host reports when it could not talk to the model, as opposed to an agent that behaved badly.
INFRASTRUCTURE_EXITS = ("all_retries_exhausted", "interrupted", "local_processing_error", "ollama_runtime")


def _die_with_parent() -> None:
    """Ends this process group as soon as the other end of standard input is closed."""
    sys.stdin.buffer.read()
    os.killpg(os.getpgid(0), signal.SIGKILL)


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
    """One conversation of one turn. Returns the JSON document described in ``runner.py``."""
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
        "system_prompt": _stored_prompt(result.get("session_id") or ""),
        "tools": sorted(agent.valid_tool_names),
        "memory": {
            "MEMORY.md": bool(getattr(agent, "_memory_enabled", False)),
            "USER.md": bool(getattr(agent, "_user_profile_enabled", False)),
        },
        "default_identity": DEFAULT_AGENT_IDENTITY,
    }


def main() -> int:
    """Reads the request, runs it, writes the result beside a temporary name first: a half-written file never counts."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        document = run(request)
    except Exception as error:  # every failure of the host must reach the result file
        document = {"error": f"{type(error).__name__}: {error}"}
    target = Path(request["result"])
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps(document, ensure_ascii=False, default=str), encoding="utf-8")
    partial.replace(target)
    return 0


if __name__ == "__main__":
    code = main()
    # The host's background threads must not keep a finished run alive.
    os._exit(code)
