"""The real agent, the scripted model, a real profile: what a run shows, proves and leaves behind.

A worker takes two seconds to start, so all tests share one model, one profile's configuration and the workers.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import yaml

from karpathy_self_improve.demo.scripted_model import MODEL, Failure, ScriptedModel
from karpathy_self_improve.evaluation.checks import Outcome, evaluate, parse_checks
from karpathy_self_improve.evaluation.running import agent_process, workers
from karpathy_self_improve.evaluation.running.arm_config import OAUTH_PROVIDERS, PROVIDER_VARIABLES
from karpathy_self_improve.evaluation.running.arm_home import PREFIX
from karpathy_self_improve.evaluation.running.exposure import Arm
from karpathy_self_improve.evaluation.running.runner import AgentRun, RunRequest, run_agent_once, terminate_all

pytestmark = pytest.mark.long

SOUL = "# Soul\n\nYou are a helpful agent.\n"
RULE = "Always end answers with the line: NEXT: <one concrete step>."
SKILL = "---\nname: minutes\ndescription: {description}\n---\n\n# Minutes\n\n{body}\n"
NOTE = "Give me a summary of this: the library opens at nine."


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedModel]:
    with ScriptedModel() as server:
        yield server


@pytest.fixture
def model(server: ScriptedModel) -> Iterator[ScriptedModel]:
    """The model, in a good mood and without memories."""
    server.failure, server.requests = Failure.NONE, 0
    server.bodies.clear()
    yield server
    server.failure = Failure.NONE


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where workers have their homes, and workers that stay warm until the last test is done."""
    folder = tmp_path_factory.mktemp("homes")
    with pytest.MonkeyPatch.context() as apart:
        apart.setattr(workers, "_holders", 0)  # tests of another module of this process may hold some
        apart.setattr(workers, "_idle", [])
        with workers.kept_warm():
            yield folder
    assert list(folder.glob(f"{PREFIX}*")) == []


@pytest.fixture
def profile(home: Path, model: ScriptedModel) -> Path:
    """A real profile: soul, memory, skill, and a configuration that asks for more than an arm may have."""
    config = {
        "model": model.model_settings(),
        "plugins": {"enabled": ["karpathy-self-improve"]},
        "agent": {"api_max_retries": 1},
        "memory": {"nudge_interval": 1},
        "skills": {"creation_nudge_interval": 1},
        "mcp_servers": {"x": {"command": "false"}},
    }
    files = {
        "config.yaml": yaml.safe_dump(config),
        "SOUL.md": SOUL,
        "memories/MEMORY.md": "The office is in Oslo.",
        "skills/notes/minutes/SKILL.md": SKILL.format(description="Writes minutes.", body="Be short."),
    }
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text, encoding="utf-8")
    return home


def fingerprint(root: Path) -> dict[str, tuple[int, str]]:
    """Every file below ``root`` with its modification time and hash, directories too."""
    return {
        path.relative_to(root).as_posix(): (
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in root.rglob("*")
    }


def both_arms(
    profile: Path, parent: Path, relpath: str, base: str | None, candidate: str | None, scenario: str = NOTE
) -> dict[Arm, AgentRun]:
    versions = [None if text is None else text.encode() for text in (base, candidate)]
    requests = [RunRequest(profile, relpath, arm, *versions, scenario, max_turns=4, parent=parent) for arm in Arm]
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(Arm, pool.map(run_agent_once, requests), strict=True))


def assert_exposed(runs: dict[Arm, AgentRun]) -> None:
    assert [(run.error, run.exposed) for run in runs.values()] == [(None, True)] * 2


def test_two_versions_of_soul_give_two_answers_and_leave_the_profile_alone(
    profile: Path, parent: Path, model: ScriptedModel
) -> None:
    for directory in (profile, parent):
        subprocess.run(["git", "init", "-q", str(directory)], check=True)
    # A project's file, which the host would read from the directory it works in up to the repository's root.
    (parent / ".hermes.md").write_text("Call the user Bob.\n")
    before = fingerprint(profile)
    runs = both_arms(profile, parent, "SOUL.md", SOUL, f"{SOUL}\n{RULE}\n")
    assert_exposed(runs)
    assert not any("Bob" in run.answer for run in runs.values())
    checks = parse_checks([{"type": "must_contain", "value": "NEXT:"}, {"type": "exit_ok"}])
    assert evaluate(checks, runs[Arm.BASELINE]).outcome is Outcome.FAIL
    assert evaluate(checks, runs[Arm.CANDIDATE]).outcome is Outcome.PASS
    for run in runs.values():
        assert (run.model, run.provider, run.completed) == (MODEL, "custom", True)
        assert run.tokens is not None
        assert run.tokens.output > 0
        assert run.cost_micro_usd is None
    assert fingerprint(profile) == before
    # One call each: no title, no background review, no second model.
    assert model.requests == 2
    offered = {tool["function"]["name"] for tool in model.bodies[-1]["tools"]}
    assert offered == {"skills_list", "skill_view", "skill_manage"}


def test_a_changed_skill_body_is_met_only_when_the_agent_reads_it(profile: Path, parent: Path) -> None:
    versions = [SKILL.format(description="Writes minutes.", body=body) for body in ("Be short.", RULE)]
    relpath = "skills/notes/minutes/SKILL.md"
    read = both_arms(profile, parent, relpath, *versions, scenario="Use minutes: all is well.")
    assert_exposed(read)
    assert [call.name for call in read[Arm.CANDIDATE].tool_trace] == ["skill_view"]
    assert all(call.ok for call in read[Arm.CANDIDATE].tool_trace)
    assert "NEXT:" in read[Arm.CANDIDATE].answer
    assert "NEXT:" not in read[Arm.BASELINE].answer
    unread = both_arms(profile, parent, relpath, *versions)
    assert [run.exposed for run in unread.values()] == [None, None]
    assert evaluate(parse_checks([{"type": "exit_ok"}]), unread[Arm.CANDIDATE]).outcome is Outcome.NO_RESULT


def test_the_hosts_prompt_proves_each_kind_of_file(profile: Path, parent: Path) -> None:
    memory = "The office is in Oslo."
    cut = SOUL + "".join(f"Line {n} of many.\n" for n in range(5_000))
    kinds = {
        "a memory entry": ("memories/MEMORY.md", memory, f"{memory}\n§\nCall the user Ada."),
        "a description": (
            "skills/notes/minutes/SKILL.md",
            SKILL.format(description="Writes minutes.", body="Be short."),
            SKILL.format(description="Writes minutes of meetings, in the past tense, with names and dates.", body="x"),
        ),
        "a new skill": ("skills/travel/SKILL.md", None, SKILL.format(description="Books trains.", body="x")),
        "no soul": ("SOUL.md", None, SOUL),
        "a truncated soul": ("SOUL.md", cut, cut.replace("Line 3 ", "LINE 3 ")),
    }
    for kind, (relpath, base, candidate) in kinds.items():
        runs = both_arms(profile, parent, relpath, base, candidate)
        assert [(run.error, run.exposed) for run in runs.values()] == [(None, True)] * 2, kind


def test_a_turn_limit_is_the_agents_failure_and_a_broken_model_is_not(
    profile: Path, parent: Path, model: ScriptedModel
) -> None:
    request = RunRequest(profile, "SOUL.md", Arm.BASELINE, SOUL.encode(), b"x", 'USE_TOOL skill_view {"name": "none"}')
    limited = run_agent_once(replace(request, max_turns=1, parent=parent))
    assert limited.error is None
    assert [(call.name, call.ok) for call in limited.tool_trace] == [("skill_view", False)]
    assert evaluate(parse_checks([{"type": "exit_ok"}]), limited).outcome is Outcome.FAIL
    model.failure = Failure.ERROR
    broken = run_agent_once(replace(request, scenario_input="hello", parent=parent))
    assert broken.error is not None
    assert evaluate(parse_checks([{"type": "exit_ok"}]), broken).outcome is Outcome.NO_RESULT


def test_a_hanging_model_ends_with_the_time_limit_or_a_cancellation(
    profile: Path, parent: Path, model: ScriptedModel
) -> None:
    model.failure = Failure.HANG
    request = RunRequest(profile, "SOUL.md", Arm.BASELINE, SOUL.encode(), b"x", "hello", timeout_s=60, parent=parent)
    results: list[AgentRun] = []
    thread = threading.Thread(target=lambda: results.append(run_agent_once(request)))
    thread.start()
    wait_for_requests(model, 1)
    assert terminate_all() == 1
    thread.join(10)
    results.append(run_agent_once(replace(request, timeout_s=3)))
    assert [run.error for run in results] == ["the run was cancelled", "the agent did not finish within 3 seconds"]


SKILL_FILE = "skills/notes/minutes/SKILL.md"
VERSIONS = {
    "SOUL.md": (SOUL, SOUL.replace("helpful", "patient")),
    "memories/MEMORY.md": ("The office is in Oslo.", "The office is in Rome."),
    # As long as each other: no size tells the two apart.
    SKILL_FILE: tuple(SKILL.format(description=f"Writes {kind}.", body=f"Be {kind}.") for kind in ("brief", "short")),
}


def shown_in(model: ScriptedModel, profile: Path, parent: Path, relpath: str, arm: Arm, scenario: str) -> str:
    """All the model was shown in one run without an error that provably met its version."""
    model.bodies.clear()
    base, candidate = (version.encode() for version in VERSIONS[relpath])
    tools = ("skills", "memory", "session_search")
    run = run_agent_once(RunRequest(profile, relpath, arm, base, candidate, scenario, tools, 4, parent=parent))
    assert (run.error, run.exposed) == (None, True)
    return json.dumps([body["messages"] for body in model.bodies])


def worker_processes() -> set[int]:
    return {child.pid for child in psutil.Process().children() if str(agent_process.WORKER) in child.cmdline()}


def test_the_next_run_of_the_same_worker_meets_every_changed_file(
    profile: Path, parent: Path, model: ScriptedModel
) -> None:
    shown_in(model, profile, parent, "SOUL.md", Arm.BASELINE, NOTE)
    before = worker_processes()
    for relpath, arm in itertools.product(("SOUL.md", "memories/MEMORY.md"), Arm):
        shown_in(model, profile, parent, relpath, arm, NOTE)
    view, listing = 'USE_TOOL skill_view {"name": "minutes"}', "USE_TOOL skills_list {}"
    for arm, scenario in itertools.product(Arm, (NOTE, view, listing)):
        shown = shown_in(model, profile, parent, SKILL_FILE, arm, scenario)
        old, new = ("brief", "short")[:: 1 if arm is Arm.BASELINE else -1]
        assert f"Writes {old}." in shown
        assert f"Writes {new}." not in shown
        assert (f"Be {old}." in shown, f"Be {new}." in shown) == (scenario == view, False)
    assert worker_processes() == before


def test_nothing_of_a_run_reaches_the_next_run_of_the_same_worker(
    profile: Path, parent: Path, model: ScriptedModel
) -> None:
    made = {"action": "create", "name": "striped", "content": SKILL.format(description="Zebras.", body="x")}
    left = ['USE_TOOL memory {"action": "add", "target": "memory", "content": "A zebra."}']
    left.append(f"USE_TOOL skill_manage {json.dumps(made)}")
    before = fingerprint(profile)
    for scenario in left:
        assert '\\"success\\": true' in shown_in(model, profile, parent, "SOUL.md", Arm.BASELINE, scenario)
    running = worker_processes()
    searched = 'USE_TOOL session_search {"query": "memory OR create"}'
    for scenario in (NOTE, "USE_TOOL skills_list {}", searched):
        shown = shown_in(model, profile, parent, "SOUL.md", Arm.BASELINE, scenario)
        assert not [word for word in ("zebra", "Zebra", "striped") if word in shown], scenario
    assert worker_processes() == running
    assert fingerprint(profile) == before


def test_an_agent_ends_when_the_process_that_started_it_is_killed(
    profile: Path, tmp_path: Path, model: ScriptedModel
) -> None:
    model.failure = Failure.HANG
    program = (
        "from pathlib import Path\n"
        "from karpathy_self_improve.evaluation.running.runner import *\n"
        "from karpathy_self_improve.evaluation.running.exposure import Arm\n"
        f"run_agent_once(RunRequest(Path({str(profile)!r}), 'SOUL.md', Arm.BASELINE, b'a', b'b', 'hello'))\n"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    starter = subprocess.Popen([sys.executable, "-P", "-c", program], env=environment)
    wait_for_requests(model, 1)
    agents = psutil.Process(starter.pid).children()
    assert len(agents) == 1
    starter.send_signal(signal.SIGKILL)
    starter.wait(10)
    assert psutil.wait_procs(agents, timeout=10)[1] == []


def wait_for_requests(model: ScriptedModel, count: int) -> None:
    for _ in range(1_000):
        if model.requests >= count:
            return
        time.sleep(0.02)
    raise AssertionError("the agent never called the model")


def test_the_table_of_variables_agrees_with_the_hosts_providers() -> None:
    from hermes_cli.auth import PROVIDER_REGISTRY

    for provider in {known.id: known for known in PROVIDER_REGISTRY.values()}.values():
        names = {*provider.api_key_env_vars, *filter(None, [provider.base_url_env_var])}
        if provider.id in OAUTH_PROVIDERS:
            assert not provider.api_key_env_vars
        else:
            assert names <= set(PROVIDER_VARIABLES[provider.id]), provider.id
