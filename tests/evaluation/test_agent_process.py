"""A run can be ended at any moment, with everything it started, and only a worker fit for it serves another one."""

from __future__ import annotations

import json
import pickle
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from karpathy_self_improve.errors import BadInput
from karpathy_self_improve.evaluation.running import agent_process, workers
from karpathy_self_improve.evaluation.running.agent_process import AgentProcess, Died, worker_command
from karpathy_self_improve.evaluation.running.exposure import Arm
from karpathy_self_improve.evaluation.running.runner import (
    CANCELLED,
    AgentRun,
    RunRequest,
    Tokens,
    ToolCall,
    run_agent_once,
    terminate,
    terminate_all,
)

# Stands for an agent that started two programs, one of them out of its process group, and does not stop.
CHILDREN = """
import pathlib, subprocess, sys, time
command = [sys.executable, "-c", "import time; time.sleep(300)"]
children = [subprocess.Popen(command), subprocess.Popen(command, start_new_session=True)]
pathlib.Path({pids!r}).write_text(" ".join(str(child.pid) for child in children))
time.sleep(300)
"""


@pytest.fixture(autouse=True)
def nobody_keeps_workers_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless a test does: other tests of this process may."""
    monkeypatch.setattr(workers, "_holders", 0)
    monkeypatch.setattr(workers, "_idle", [])


@pytest.fixture
def request_(home: Path, tmp_path: Path) -> RunRequest:
    return RunRequest(home, "SOUL.md", Arm.CANDIDATE, b"a", b"b", "hello", timeout_s=60.0, group="g", parent=tmp_path)


def worker(monkeypatch: pytest.MonkeyPatch, directory: Path, source: str) -> None:
    script = directory / "worker.py"
    script.write_text(source)
    monkeypatch.setattr(agent_process, "WORKER", script)


def alive(pids: Path) -> list[psutil.Process]:
    """Those of the processes named in the file that still run."""
    found = [psutil.Process(int(pid)) for pid in pids.read_text().split() if psutil.pid_exists(int(pid))]
    return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def in_background(request: RunRequest) -> tuple[threading.Thread, list[AgentRun]]:
    results: list[AgentRun] = []
    thread = threading.Thread(target=lambda: results.append(run_agent_once(request)))
    thread.start()
    return thread, results


def test_a_run_out_of_time_ends_with_all_it_started(
    request_: RunRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = tmp_path / "pids"
    worker(monkeypatch, tmp_path, CHILDREN.format(pids=str(pids)))
    run = run_agent_once(RunRequest(**{**vars(request_), "timeout_s": 3.0}))
    assert run.error == "the agent did not finish within 3 seconds"
    assert (run.exposed, run.tokens, run.cost_micro_usd) == (None, None, None)
    assert len(pids.read_text().split()) == 2
    wait_for(lambda: not alive(pids))
    assert not list(tmp_path.glob("ratchet-arm-*"))


@pytest.mark.parametrize("end", [terminate_all, lambda: terminate("g")])
def test_a_run_can_be_cancelled_from_another_thread(
    request_: RunRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: Callable[[], int]
) -> None:
    pids = tmp_path / "pids"
    worker(monkeypatch, tmp_path, CHILDREN.format(pids=str(pids)))
    thread, results = in_background(request_)
    wait_for(pids.exists)
    assert terminate("another group") == 0
    assert end() == 1
    thread.join(30)
    assert [run.error for run in results] == [CANCELLED]
    assert terminate_all() == 0


def test_a_run_cancelled_before_its_process_starts_never_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker(monkeypatch, tmp_path, "import time; time.sleep(300)")
    with agent_process.under_way("g") as turn:
        assert terminate_all() == 1
        process = AgentProcess(worker_command(), {}, tmp_path, tmp_path / "stderr")
        with pytest.raises(Died):
            turn.ask(process, b"{}", 30.0)
        process.close()


# Answers each request with its number and its process, after doing what the request asks for.
ANSWERING = """
import json, os, subprocess, sys
for number, line in enumerate(sys.stdin):
    asked = json.loads(line)["scenario_input"]
    if asked == "die":
        os._exit(1)
    if asked == "leave a child":
        subprocess.Popen(["sleep", "300"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    if asked == "leave a file":
        open(os.path.join(os.environ["HERMES_HOME"], "state.db"), "w").close()
    there = sorted(os.listdir(os.environ["HERMES_HOME"]))
    print(json.dumps({"error": None, "answer": f"{number} {there}", "session_id": str(os.getpid())}), flush=True)
"""


def served(request: RunRequest, *asked: str) -> list[AgentRun]:
    return [run_agent_once(replace(request, scenario_input=one)) for one in asked]


def test_a_warm_worker_serves_run_after_run_in_a_home_as_new(
    request_: RunRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker(monkeypatch, tmp_path, ANSWERING)
    with workers.kept_warm():
        runs = served(request_, "hello", "leave a file", "hello")
        assert len({run.session_id for run in runs}) == 1
        there = "['SOUL.md', 'config.yaml']"
        assert [run.answer for run in runs] == [f"0 {there}", f"1 {there[:-1]}, 'state.db']", f"2 {there}"]
    assert not psutil.pid_exists(int(runs[0].session_id))
    assert not list(tmp_path.glob("ratchet-arm-*"))
    assert len({run.session_id for run in served(request_, "hello", "hello")}) == 2  # nobody keeps them warm now


def test_a_worker_that_died_ran_often_or_left_a_child_is_replaced(
    request_: RunRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker(monkeypatch, tmp_path, ANSWERING)
    monkeypatch.setattr(workers, "MAX_RUNS", 3)
    with workers.kept_warm():
        runs = served(request_, "leave a child", "hello", "die", "hello", "hello", "hello", "hello")
        assert [run.answer[:1] for run in runs] == ["0", "0", "", "0", "1", "2", "0"]
        assert [run.transient for run in runs] == [False, False, True, False, False, False, False]
        assert "died" in str(runs[2].error)
        # Another way to the model is another worker: a process has one environment.
        (request_.profile_home / "config.yaml").write_text("model: {default: other, provider: custom}")
        assert served(request_, "hello")[0].answer[:1] == "0"


def test_a_process_that_dies_gives_its_last_words_without_secrets(
    request_: RunRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "not-a-real-" + "key-1234"
    (request_.profile_home / "config.yaml").write_text(f"model: {{default: m, provider: custom, api_key: {key}}}")
    worker(monkeypatch, tmp_path, f"import sys; sys.exit('no such module, key {key}')")
    assert run_agent_once(request_).error == "the agent's process died: no such module, key [secret]"


# Says whatever it is asked to, as JSON with escapes.
SAYING = """
import json, sys
for line in sys.stdin:
    print(json.loads(line)["scenario_input"], flush=True)
"""


def document(**parts: object) -> str:
    return json.dumps({"error": None, "answer": "", **parts})


def test_no_answer_of_a_model_is_more_than_the_result_of_its_run(
    request_: RunRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = "[" * 100_000
    call = {"name": "t\ud800", "arguments": deep, "result": deep, "ok": True}
    hostile = (
        document(answer="a\ud800b", tool_trace=[call]),
        document(tool_trace=[{"name": "t"}]),
        document(tokens={"total": 10**30}),
        document(cost_usd="NaN"),
        "[]",
        deep,
    )
    worker(monkeypatch, tmp_path, SAYING)
    with workers.kept_warm():
        halves, *unreadable = served(request_, *hostile)
    assert (halves.answer, halves.tool_trace[0].name, halves.error) == ("a?b", "t?", None)
    assert ["could not be read" in str(run.error) for run in unreadable] == [True] * 5


def test_the_key_to_the_model_leaves_a_run_in_no_text(
    request_: RunRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = 'Kx9mWq27"' + "LpVt4RzNbY8cHs"
    written = json.dumps({"model": {"default": "m", "provider": "custom", "api_key": key}})
    (request_.profile_home / "config.yaml").write_text(written)
    call = {"name": f"t {key}", "arguments": json.dumps({"text": key}), "result": key, "ok": True}
    worker(monkeypatch, tmp_path, SAYING)
    said = document(answer=f"good {key}", tool_trace=[call], model=key, provider=key, session_id=key, exit_reason=key)
    [run] = served(request_, said)
    assert (run.answer, run.error) == ("good [secret]", None)
    assert "LpVt4RzNbY8cHs" not in repr(run)
    assert run.tool_trace[0].arguments == '{"text": "[secret]"}'


def test_a_profile_that_cannot_be_read_is_an_error_not_a_crash(request_: RunRequest) -> None:
    (request_.profile_home / "config.yaml").write_text("model: [")
    assert "cannot be read" in str(run_agent_once(request_).error)


def test_toolsets_that_reach_beyond_the_home_are_refused(request_: RunRequest) -> None:
    for toolset in ("code_execution", "browser", "all", "no-such-toolset"):
        with pytest.raises(BadInput, match=toolset):
            run_agent_once(RunRequest(**{**vars(request_), "toolsets": ("skills", toolset)}))


def test_requests_and_results_travel_between_processes(request_: RunRequest) -> None:
    run = AgentRun("a", (ToolCall("t", "{}", True),), Tokens(1, 2, 3, 4, 5, 6), 7, "m", "p", 1.5, None, True)
    assert pickle.loads(pickle.dumps((request_, run, run_agent_once))) == (request_, run, run_agent_once)
