"""A scripted stand-in for a paid model: a real OpenAI-compatible HTTP server that obeys the rules in its prompt.

It is not a language model and says so everywhere: model id, answer ids, Server header, start-up line, --help. The rules
it understands stand in ``scripted_rules.py``. Asked for the model ``scripted-judge`` or ``scripted-proposer``
it answers as such, as ``scripted_judge.py`` and ``scripted_proposer.py`` have it. It listens on the loopback
interface only.

Failures can be switched on, by constructor, attribute or environment variable, to test what happens then:
``SCRIPTED_MODEL_FAILURE`` (one of :class:`Failure`) and ``SCRIPTED_MODEL_DELAY_S`` (seconds before each answer).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from .scripted_judge import MODEL as JUDGE_MODEL
from .scripted_judge import RUBRICS, judge
from .scripted_proposer import MODEL as PROPOSER_MODEL
from .scripted_proposer import propose
from .scripted_rules import RULES, Reply, reply

MODEL = "scripted-model"
MODELS = (MODEL, JUDGE_MODEL, PROPOSER_MODEL)
LABEL = "scripted model: answers follow fixed rules, no language model is running"
CONTEXT_LENGTH = 131_072
KEPT_BODIES = 100
CHARACTERS_PER_TOKEN = 4

Judging = Callable[[Sequence[dict[str, Any]]], str]
Proposing = Callable[[Sequence[dict[str, Any]]], str]


class Failure(StrEnum):
    """How the server misbehaves."""

    NONE = "none"
    ERROR = "error"  # every answer is a 500
    HANG = "hang"  # the connection stays open and silent until the server stops
    GARBAGE = "garbage"  # the answer is not JSON


class ScriptedModel:
    """The server, running while the ``with`` block runs.

    ``port`` 0 picks a free one. ``failure`` and ``delay_s`` may be changed while it runs; ``requests`` counts the
    completions asked for and ``bodies`` keeps the newest of them, oldest first. ``judging`` answers what is put to the
    model ``scripted-judge``, ``proposing`` what is put to ``scripted-proposer``.
    """

    def __init__(
        self,
        port: int = 0,
        failure: Failure | None = None,
        delay_s: float | None = None,
        judging: Judging = judge,
        proposing: Proposing = propose,
    ) -> None:
        self.failure = failure or Failure(os.environ.get("SCRIPTED_MODEL_FAILURE", Failure.NONE))
        self.delay_s = float(os.environ.get("SCRIPTED_MODEL_DELAY_S", 0)) if delay_s is None else delay_s
        self.judging = judging
        self.proposing = proposing
        self.requests = 0
        self.bodies: deque[dict[str, Any]] = deque(maxlen=KEPT_BODIES)
        self.stopping = threading.Event()
        self._counting = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Handler, self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def base_url(self) -> str:
        """What a client calls its base URL, with ``/v1``."""
        return f"http://127.0.0.1:{self.port}/v1"

    def model_settings(self) -> dict[str, Any]:
        """The ``model`` section of a Hermes config.yaml that talks to this server."""
        return {
            "default": MODEL,
            "provider": "custom",
            "base_url": self.base_url,
            "api_key": "scripted-key",
            "context_length": CONTEXT_LENGTH,
        }

    def judge_settings(self) -> dict[str, Any]:
        """The ``auxiliary.ratchet_judge`` section of a config.yaml that has this server judge, under another name."""
        return {"provider": "custom", "model": JUDGE_MODEL, "base_url": self.base_url, "api_key": "scripted-key"}

    def proposer_settings(self) -> dict[str, Any]:
        """The ``auxiliary.ratchet_proposer`` section that has this server propose, under a third name."""
        return {**self.judge_settings(), "model": PROPOSER_MODEL}

    def answer(self, body: dict[str, Any]) -> tuple[str, Reply]:
        """Which model answers a request, and what it says."""
        if body.get("model") == JUDGE_MODEL:
            return JUDGE_MODEL, Reply(self.judging(body["messages"]))
        if body.get("model") == PROPOSER_MODEL:
            return PROPOSER_MODEL, Reply(self.proposing(body["messages"]))
        return MODEL, reply(body["messages"], [tool["function"]["name"] for tool in body.get("tools") or ()])

    def record(self, body: dict[str, Any]) -> None:
        with self._counting:
            self.requests += 1
            self.bodies.append(body)

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait(self) -> None:
        """Until the server is stopped."""
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A hanging request must not keep stop() waiting.
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[_Handler], model: ScriptedModel) -> None:
        self.model = model
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; anything else is."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Else each answer of two writes waits 40 ms for the client's delayed acknowledgement.
    disable_nagle_algorithm = True
    server_version = "scripted-model"
    sys_version = ""
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing per request: tests and the demo make hundreds."""

    def do_GET(self) -> None:
        if self.path.split("?")[0].rstrip("/").endswith("/models") and "/api/" not in self.path:
            card = {"object": "model", "owned_by": "scripted", "context_length": CONTEXT_LENGTH}
            self._send(200, {"object": "list", "data": [{"id": name, **card} for name in MODELS]})
        else:
            self._refuse(404, "not found")

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.path.endswith("/chat/completions"):
            return self._refuse(404, "not found")
        model = self.server.model
        try:
            body = json.loads(raw)
            name, answer = model.answer(body)
        except (ValueError, KeyError, TypeError):
            return self._refuse(400, "the body must be a chat-completions request in JSON")
        model.record(body)
        model.stopping.wait(model.delay_s)
        if model.failure is not Failure.NONE:
            return self._misbehave(model.failure)
        usage = _usage(body["messages"], body.get("tools"))
        usage |= _completion_usage(usage["prompt_tokens"], answer)
        identity = {"id": f"scripted-{model.requests}", "created": 0, "model": name, "system_fingerprint": "scripted"}
        if body.get("stream"):
            return self._stream(identity, answer, usage)
        choice = {"index": 0, "message": _message(answer), "finish_reason": _finish_reason(answer)}
        return self._send(200, {**identity, "object": "chat.completion", "choices": [choice], "usage": usage})

    def _misbehave(self, failure: Failure) -> None:
        if failure is Failure.ERROR:
            self._refuse(500, "scripted failure")
        elif failure is Failure.GARBAGE:
            self._send_bytes(200, b"<html>this is not JSON</html>")
        else:
            self.server.model.stopping.wait()

    def _stream(self, identity: dict[str, Any], answer: Reply, usage: dict[str, int]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        chunk = {**identity, "object": "chat.completion.chunk"}
        for delta in _deltas(answer):
            self._event({**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        self._event({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": _finish_reason(answer)}]})
        self._event({**chunk, "choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, payload: dict[str, Any]) -> None:
        self.wfile.write(b"data: " + json.dumps(payload).encode() + b"\n\n")

    def _refuse(self, status: int, reason: str) -> None:
        self._send(status, {"error": {"message": f"{reason} ({LABEL})", "type": "scripted_model"}})

    def _send(self, status: int, payload: dict[str, Any]) -> None:
        self._send_bytes(status, json.dumps(payload).encode())

    def _send_bytes(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def _usage(messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None) -> dict[str, int]:
    return {"prompt_tokens": _tokens(json.dumps([messages, tools or []], ensure_ascii=False))}


def _completion_usage(prompt_tokens: int, answer: Reply) -> dict[str, int]:
    completion = _tokens(answer.text) + sum(_tokens(name + arguments) for name, arguments in answer.tool_calls)
    return {"completion_tokens": completion, "total_tokens": prompt_tokens + completion}


def _tool_calls(answer: Reply) -> list[dict[str, Any]]:
    return [
        {"index": n, "id": f"scripted-call-{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(answer.tool_calls)
    ]


def _finish_reason(answer: Reply) -> str:
    return "tool_calls" if answer.tool_calls else "stop"


def _message(answer: Reply) -> dict[str, Any]:
    if answer.tool_calls:
        return {"role": "assistant", "content": None, "tool_calls": _tool_calls(answer)}
    return {"role": "assistant", "content": answer.text}


def _deltas(answer: Reply) -> Iterator[dict[str, Any]]:
    """The streamed pieces: all tool calls at once, or the text in pieces of about 40 characters."""
    if answer.tool_calls:
        yield {"role": "assistant", "tool_calls": _tool_calls(answer)}
        return
    yield {"role": "assistant", "content": ""}
    for start in range(0, len(answer.text), 40):
        yield {"content": answer.text[start : start + 40]}


def main(arguments: list[str] | None = None) -> int:
    """Runs the server until interrupted. Returns the exit code."""
    known = "\n".join(f"  {rule.example}" for rule in RULES)
    judged = "\n".join(f"  {rubric.example}" for rubric in RUBRICS)
    parser = argparse.ArgumentParser(
        prog="python -m karpathy_self_improve.demo.scripted_model",
        description=f"A {LABEL}. It obeys these sentences when it finds them in the system prompt:\n{known}\n"
        f"As {JUDGE_MODEL} it judges by rubrics of these lines:\n{judged}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--failure", type=Failure, choices=list(Failure), help="misbehave in this way")
    parser.add_argument("--delay", type=float, help="seconds to wait before each answer")
    options = parser.parse_args(arguments)
    with ScriptedModel(options.port, options.failure, options.delay) as model:
        print(f"{LABEL}; serving {model.base_url}", flush=True)
        try:
            model.wait()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
