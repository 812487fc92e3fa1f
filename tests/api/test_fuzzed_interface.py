"""Schemathesis reads the OpenAPI document and tries everything in it on the host's own application, step upon step.

No request may end in a fault, and no answer of our routes may be one that the document does not describe.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis.strategies import one_of
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from karpathy_self_improve.evaluation.scenario import scenarios
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context

PREFIX = "/api/plugins/karpathy-self-improve"
SOUL = "# Soul\n\nYou help. Be brief.\n\n- Say hello.\n"
IN_CI, IN_SOAK = 2_000, 20_000
STEPS = 25
Fuzz = Callable[[int], None]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


class Counted:
    """The application, and how often which of its operations answered with what."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.answers: Counter[tuple[str, int]] = Counter()
        self.requests = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def counted(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.requests += 1
                route = getattr(scope.get("route"), "path", "").removeprefix(PREFIX)  # FastAPI's versions differ in it
                self.answers[f"{scope['method']} {route}", message["status"]] += 1
            await send(message)

        await self.app(scope, receive, counted if scope["type"] == "http" else send)


def errors_have_our_shape(ctx: Any, response: Any, case: Any) -> None:
    """What our routes refuse, they refuse as ``{"error", "code"}``; only the host says ``{"detail"}``."""
    if response.status_code >= 400:
        body = response.json()
        assert body.keys() >= {"error", "code"} or set(body) == {"detail"}, body
        assert body.get("code") not in ("internal", "dependency_missing"), body


@pytest.fixture
def furnished(context: Context, call: Any, watched: None) -> None:
    """Something of everything, so that what refers to it finds it."""
    me = Actor("somebody", "os:somebody")
    for number in range(3):
        scenarios.add_scenario(context, "coder", f"scenario {number}", "Hi", '[{"type": "exit_ok"}]', me)
    base = (context.home("coder") / "SOUL.md").read_text(encoding="utf-8")
    for words in ("Be very brief.", "Be short.", "Be quick.", "Be kind."):
        call("POST", "/experiments", json={"profile": "coder", "content": base.replace("Be brief.", words)})
    call("POST", "/experiments/1/approve", json={"override_reason": "why not"})
    call("POST", "/experiments/1/apply")
    call("POST", "/experiments/2/reject")


@pytest.fixture
def counted(web_server: Any, furnished: None) -> Counted:
    return Counted(web_server.app)


@pytest.fixture
def start_over(furnished: None, dashboard: Path, tmp_path: Path) -> Callable[[], None]:
    """Puts everything back to how it was furnished: a sequence of steps must be one that can be taken again."""
    kept = tmp_path / "furnished"
    shutil.copytree(dashboard, kept, symlinks=True)

    def put_back() -> None:
        shutil.rmtree(dashboard)
        shutil.copytree(kept, dashboard, symlinks=True)

    return put_back


@pytest.fixture
def document(web_server: Any, counted: Counted) -> Any:
    """Our part of the document, ready to be tried on the counted application."""
    raw = json.loads(json.dumps(web_server.app.openapi()))
    raw["paths"] = {path: verbs for path, verbs in raw["paths"].items() if path.startswith(PREFIX)}
    schema = schemathesis.openapi.from_dict(raw)
    schema.app = counted
    return schema


@pytest.fixture
def asking(web_server: Any) -> dict[str, Any]:
    """How each request is sent: with the host's token."""
    return {
        "headers": {web_server._SESSION_HEADER_NAME: web_server._SESSION_TOKEN},
        "base_url": "http://127.0.0.1",
        "timeout": 120,  # on a busy machine; what takes us long is answered in time by ourselves
    }


def make_sensible(case: Any) -> None:
    """A guessed number or profile is nobody's and a guessed text no small change: half of them become some that are."""
    asked = case.path_parameters or {}
    if len(repr(asked)) % 2:
        known = {name: 1 + value % 5 for name, value in asked.items() if isinstance(value, int)}
        asked.update(known, **({"profile": "coder"} if "profile" in asked else {}))
    query = case.query or {}
    if "profile" in query and len(repr(query)) % 2:
        query["profile"] = "coder"
    body = case.body
    if not isinstance(body, dict) or len(repr(body)) % 2:
        return
    if "profile" in body:
        body["profile"] = "coder"
    if "content" in body:
        body["content"] = SOUL.replace("Be brief.", f"Be as brief as {len(repr(body))} words.")
        body.pop("diff", None)
        body.pop("file", None)
    if "document" in body:
        body["document"] = json.dumps({"name": f"number {len(repr(body))}", "input": "Hi"})


def try_each(document: Any, counted: Counted, asking: dict[str, Any], requests: int) -> None:
    """Every operation by itself, with what fits its description and with what does not."""
    operations = [found.ok() for found in document.get_all_operations()]
    for operation in operations:

        @settings(requests // len(operations))
        @hypothesis.given(case=one_of(*map(operation.as_strategy, GenerationMode)))
        def once(case: Any) -> None:
            make_sensible(case)
            case.call_and_validate(checks=CHECKS, additional_checks=[errors_have_our_shape], **asking)

        once()


def try_in_steps(
    document: Any, counted: Counted, asking: dict[str, Any], requests: int, start_over: Callable[[], None]
) -> None:
    """Operations fed by the answers of others, until there were so many requests."""

    class Steps(document.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            start_over()

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return asking

        def before_call(self, case: Any) -> None:
            make_sensible(case)

        def validate_response(self, response: Any, case: Any, **options: Any) -> None:
            case.validate_response(response, checks=CHECKS, additional_checks=[errors_have_our_shape])

    for seed in range(200):
        if counted.requests >= requests:
            return
        left = max(2, (requests - counted.requests) // STEPS)
        hypothesis.seed(seed)(Steps.TestCase)
        Steps.run(settings=settings(left))
    raise AssertionError(f"only {counted.requests} requests were made")


def settings(examples: int) -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=max(1, examples),
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture
def fuzz(document: Any, counted: Counted, asking: dict[str, Any], start_over: Callable[[], None]) -> Fuzz:
    """``fuzz(2_000)``: so many requests, half of them one by one, half in steps; every operation must have answered."""

    def both(requests: int) -> None:
        try_each(document, counted, asking, requests // 2)
        try_in_steps(document, counted, asking, requests, start_over)
        check_reach(document, counted)

    return both


def check_reach(document: Any, counted: Counted) -> None:
    answered = {operation for operation, _ in counted.answers}
    described = {found.ok().label.replace(PREFIX, "") for found in document.get_all_operations()}
    assert described <= answered
    accepted = {operation for operation, status in counted.answers if status < 300}
    assert len(accepted) >= 0.7 * len(described), sorted(described - accepted)


@pytest.mark.long
def test_two_thousand_requests_find_no_fault_and_no_undocumented_answer(fuzz: Fuzz, counted: Counted) -> None:
    fuzz(IN_CI)
    assert counted.requests >= IN_CI


@pytest.mark.soak
def test_twenty_thousand_requests_find_no_fault_and_no_undocumented_answer(fuzz: Fuzz, counted: Counted) -> None:
    fuzz(IN_SOAK)
    assert counted.requests >= IN_SOAK
