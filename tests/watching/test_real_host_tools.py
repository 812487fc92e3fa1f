"""The real agent's own tools change a real profile, and are recognised by what the real host leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import yaml

from karpathy_self_improve.demo.scripted_model import ScriptedModel

SKILL = "---\nname: fresh\ndescription: Made by the agent.\n---\n# Fresh\n"
TURNS = (
    ("skill_manage", {"action": "create", "name": "fresh", "content": SKILL}),
    ("memory", {"action": "add", "target": "user", "content": "likes tea"}),
    ("write_file", {"path": "SOUL.md", "content": "# Soul\n\nI rewrote myself.\n"}),
    ("terminal", {"command": "cd memories && printf more >> MEMORY.md"}),
)
AGENT = """
import json, sys
from hermes_state import SessionDB
from run_agent import AIAgent
settings = json.loads(sys.argv[1])
agent = AIAgent(**settings, provider="custom", quiet_mode=True, platform="cli", max_iterations=5,
                session_db=SessionDB(), enabled_toolsets=["skills", "memory", "file", "terminal"])
for turn in json.loads(sys.argv[2]):
    agent.run_conversation(turn)
agent.close()
"""


@pytest.fixture
def changed_by_the_agent(watch: Any) -> Any:
    with ScriptedModel() as model:
        (watch.home / "config.yaml").write_text(yaml.safe_dump({"model": model.model_settings()}), encoding="utf-8")
        stated = model.model_settings()
        settings = {"base_url": stated["base_url"], "api_key": stated["api_key"], "model": stated["default"]}
        turns = [f"USE_TOOL {tool} {json.dumps(arguments)}" for tool, arguments in TURNS]
        command = [sys.executable, "-P", "-c", AGENT, json.dumps(settings), json.dumps(turns)]
        env = {**os.environ, "HERMES_HOME": str(watch.home), "HERMES_YOLO_MODE": "1"}
        done = subprocess.run(
            command, env=env, cwd=watch.home, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
    assert done.returncode == 0, done.stderr
    return watch


def test_the_agents_own_tools_are_named(changed_by_the_agent: Any) -> None:
    found = {change.relpath: (change.author, change.facts.get("tool")) for change in changed_by_the_agent.look()}
    assert found == {
        "skills/fresh/SKILL.md": ("agent's own tool", "skill_manage"),
        "memories/USER.md": ("agent's own tool", "memory"),
        "SOUL.md": ("agent's own tool", "write_file"),
        "memories/MEMORY.md": ("agent's own tool", "terminal"),
    }
