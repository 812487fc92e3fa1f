"""A profile with many scenarios in a throw-away home, and stand-ins for its agent that take a known time."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karpathy_self_improve.ratchet.actor import Actor

if TYPE_CHECKING:
    from karpathy_self_improve.ratchet.context import Context

SOMEBODY = Actor("benchmark", "os:benchmark")
SOUL = "# Soul\n\nYou are a helpful agent.\n"
CHECKS = [{"type": "must_contain", "value": "hello"}]

# Calls the model once for each request, without an agent: what `resume.py` counts is calls, not turns.
WORKER = """
import json, os, sys, urllib.request, yaml
with open(os.path.join(os.environ["HERMES_HOME"], "config.yaml")) as config:
    model = yaml.safe_load(config)["model"]
for line in sys.stdin:
    said = [{"role": "user", "content": json.loads(line)["scenario_input"]}]
    body = json.dumps({"model": model["default"], "messages": said}).encode()
    asked = urllib.request.Request(model["base_url"] + "/chat/completions", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked) as answer:
        answered = json.load(answer)
    used = answered["usage"]
    tokens = {"total": used["total_tokens"], "input": used["prompt_tokens"], "output": used["completion_tokens"]}
    with open(os.path.join(os.environ["HERMES_HOME"], "SOUL.md")) as soul:
        prompt = soul.read().strip()
    print(json.dumps({"error": None, "answer": "hello", "completed": True, "model": answered["model"], "calls": 1,
                      "provider": "custom", "tokens": tokens, "system_prompt": prompt}), flush=True)
"""


class NullExecutor(ThreadPoolExecutor):
    """Runs no agent: each run takes ``latency_s`` and says hello."""

    def __init__(self, workers: int, latency_s: float) -> None:
        super().__init__(workers)
        self._latency_s = latency_s

    def submit(self, _fn: Callable[..., Any], /, *_args: Any, **_kwargs: Any) -> Future[Any]:
        return super().submit(self._run)

    def _run(self) -> object:
        from karpathy_self_improve.evaluation.running.runner import AgentRun, Tokens

        time.sleep(self._latency_s)
        tokens = Tokens(20, 5, 0, 0, 0, 25)
        return AgentRun("hello", tokens=tokens, model="m", provider="null", exposed=True, completed=True, calls=1)


@contextmanager
def profile(home: Path, model: dict[str, object], scenarios: int, **evaluation: object) -> Iterator[Context]:
    """A profile in ``home`` with that many scenarios, and one proposal whose evaluation is queued as job 1."""
    os.environ.update(HOME=str(home.parent), HERMES_HOME=str(home))
    from karpathy_self_improve.evaluation import jobs
    from karpathy_self_improve.evaluation.scenario.scenarios import add_scenario
    from karpathy_self_improve.ratchet import experiments
    from karpathy_self_improve.ratchet.context import open_context

    home.mkdir(parents=True)
    (home / "SOUL.md").write_text(SOUL)
    ours = {"approval": "unsigned", "evaluation": {"toolsets": ["skills"], **evaluation}}
    plugins = {"enabled": ["karpathy-self-improve"], "entries": {"karpathy-self-improve": ours}}
    (home / "config.yaml").write_text(json.dumps({"model": model, "plugins": plugins}))
    context = open_context()
    try:
        for number in range(scenarios):
            question = f"What is {number} times {number * number + 7}?"
            add_scenario(context, "default", f"question {number}", question, CHECKS, SOMEBODY, holdout=False)
        changed = (SOUL + "Be kind.\n").encode()
        experiments.propose(context, "default", "SOUL.md", changed, "why", SOMEBODY)
        jobs.queue_evaluation(context, 1, SOMEBODY)
        yield context
    finally:
        context.store.close()
