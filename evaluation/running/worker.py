"""Runs the real Hermes agent in a process of its own, one conversation per line of standard input.

This script imports Hermes and nothing of ours: it is started with HERMES_HOME set to a throw-away home, and one process
serves one home for its whole life. Whoever started it puts the home into its exact state before each request; this
script drops what the host remembers of the state before. A request is a JSON object with ``scenario_input``,
``toolsets`` and ``max_turns``, or ``{"ask": "base_url"}``; the answer is one line of JSON on what was standard output.
Whatever goes wrong stands there as ``error``; no answer means the process died.

When standard input ends, whoever started this process is gone, and it ends with all it started.

In a sandbox the agent may run any program as this very user. So nothing that such a program can write is believed: the
answer comes from this process's memory, which no other process may open (:func:`_shut`).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import resource
import signal
import socket
import threading
from queue import SimpleQueue
from typing import Any, BinaryIO

# What the host reports when it could not talk to the model, as opposed to an agent that behaved badly.
INFRASTRUCTURE_EXITS = ("all_retries_exhausted", "interrupted", "local_processing_error", "ollama_runtime")

# Names of <sys/prctl.h>.
PR_SET_DUMPABLE, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 4, 47, 4

# What a program in a sandbox can use up, each process for itself; the processes are counted together.
LIMITS = {
    resource.RLIMIT_AS: 16 << 30,
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_FSIZE: 1 << 30,
    resource.RLIMIT_NPROC: 4096,
}


def _take_requests(source: BinaryIO, requests: SimpleQueue[bytes]) -> None:
    """Hands on each line of ``source``; ends this process group as soon as its other end is closed."""
    for line in source:
        requests.put(line)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(0, signal.SIGKILL)
    # The first process of a sandbox is immune to signals from inside; its end is the end of all others there.
    os._exit(1)


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
        # Not the one in state.db, which a tool could have rewritten.
        "system_prompt": str(agent._cached_system_prompt or ""),
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


def _shut() -> None:
    """In a sandbox: opens the door to the model, then keeps all that follows away from this process's insides.

    What connects to the model's port on loopback gets through the socket that leads there.
    """
    path, port = os.environ.pop("RATCHET_MODEL_SOCKET", ""), os.environ.pop("RATCHET_MODEL_PORT", "")
    if path:
        door = socket.create_server(("127.0.0.1", int(port)))
        # Only the door may need a port below 1024: children do not get that right.
        _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
        # Neither ptrace nor process_vm_writev nor pidfd_getfd nor /proc opens what cannot be dumped.
        _prctl(PR_SET_DUMPABLE, 0)
        # The first process of a sandbox ignores what it does not handle, and Python would handle this one.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for limit, most in LIMITS.items():
            hard = resource.getrlimit(limit)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(limit, (most, most))
        threading.Thread(target=_let_through, args=(door, path), daemon=True).start()


def _prctl(option: int, value: int) -> None:
    """Raises OSError when the kernel refuses: then no tool may run."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0))) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}, {value}) is refused")


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


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """What was standard input and output; nothing else of this process, nor its children, has them from here on."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "r+b") as nowhere:
        os.dup2(nowhere.fileno(), 0)
        os.dup2(nowhere.fileno(), 1)
    return requests, answers


def main() -> None:
    """Answers one request after the other until standard input ends."""
    source, answers = _own_pipes()
    requests = SimpleQueue[bytes]()
    # A log would be a trace of one run in the home of the next.
    logging.disable(logging.CRITICAL)
    _shut()
    threading.Thread(target=_take_requests, args=(source, requests), daemon=True).start()
    while True:
        document = _answered(requests.get())
        answers.write(json.dumps(document, default=str).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
