"""An agent with file and terminal tools sees its own home and the model, and nothing else of this machine."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from karpathy_self_improve.demo.scripted_model import ScriptedModel
from karpathy_self_improve.errors import BadInput, ModelUnavailable
from karpathy_self_improve.evaluation.running import sandbox
from karpathy_self_improve.evaluation.running.exposure import Arm
from karpathy_self_improve.evaluation.running.runner import AgentRun, RunRequest, run_agent_once
from karpathy_self_improve.evaluation.running.sandbox import Address, isolation

pytestmark = pytest.mark.long
FORGER = Path(__file__).with_name("forger.py")
needs_bubblewrap = pytest.mark.usefixtures("bubblewrap")


@pytest.fixture(scope="session")
def bubblewrap(debian_package: Callable[[str, Callable[[], object]], None]) -> None:
    """The sandbox these tests are about. Only a system that has none, or allows none, leaves them out."""
    if sys.platform != "linux":
        pytest.skip("bubblewrap is for Linux")
    debian_package("bubblewrap", lambda: shutil.which("bwrap"))
    sandbox.bubblewrap.cache_clear()
    if shutil.which("bwrap") is None:
        pytest.fail("No bubblewrap is here. Install it (Debian: the package bubblewrap) and run the tests again.")
    if sandbox.bubblewrap() is None:
        pytest.skip("this system lets no program make the namespaces of a sandbox")


@pytest.fixture
def model(home: Path) -> Iterator[ScriptedModel]:
    with ScriptedModel() as server:
        (home / "config.yaml").write_text(json.dumps({"model": server.model_settings()}))
        (home / ".env").write_text("SECRET_OF_ANOTHER=1\n")
        yield server


def run(home: Path, parent: Path, scenario: str, *toolsets: str, needs: frozenset[str] = frozenset()) -> AgentRun:
    versions = (b"You are helpful.\n", b"You are kind.\n")
    request = RunRequest(
        home, "SOUL.md", Arm.CANDIDATE, *versions, scenario, toolsets, 4, 60.0, parent=parent, needs=needs
    )
    return run_agent_once(request)


@needs_bubblewrap
def test_a_sandboxed_terminal_reaches_the_model_and_nothing_else(
    home: Path, tmp_path: Path, model: ScriptedModel
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port, outside = other.getsockname()[1], tmp_path / "made"
        script = "; ".join(
            [
                f"cat {home}/.env {home}/config.yaml",
                f"ls -d {home} {tmp_path / 'hermes'} /etc/shadow",
                f"echo x > {outside}",
                "echo left > $HERMES_HOME/SOUL.md && echo wrote here",
                f"python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}), 3)'",
                "python3 -c 'import socket; socket.create_connection((\"1.1.1.1\", 53), 3)'",
                'python3 -c \'import subprocess; subprocess.Popen(["sleep", "299"], start_new_session=True)\'',
            ]
        )
        found = run(home, tmp_path, f"USE_TOOL terminal {json.dumps({'command': script})}", "terminal", "file")
    assert (found.error, found.exposed) == (None, True)
    shown = json.dumps(model.bodies[-1]["messages"])
    assert "SECRET_OF_ANOTHER" not in shown
    assert not outside.exists()
    assert shown.count("No such file") == 5
    assert "Connection refused" in shown
    assert "Network is unreachable" in shown
    assert "wrote here" in shown
    assert (home / "SOUL.md").read_text().startswith("# Soul")
    assert not [process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == ["sleep", "299"]]
    assert not list(tmp_path.glob("ratchet-arm-*"))


@needs_bubblewrap
def test_no_program_of_a_sandboxed_agent_can_write_its_result(home: Path, tmp_path: Path, model: ScriptedModel) -> None:
    (home / "skills").mkdir(exist_ok=True)
    shutil.copy(FORGER, home / "skills")
    command = json.dumps({"command": "python3 $HERMES_HOME/skills/forger.py"})
    found = run(home, tmp_path, f"USE_TOOL terminal {command}", "terminal", "file")
    assert (found.error, found.exposed, found.completed) == (None, True, True)
    assert [call.name for call in found.tool_trace] == ["terminal"]
    assert found.answer.startswith("I")
    assert found.tokens is not None
    reached = json.loads(json.loads(model.bodies[-1]["messages"][-1]["content"])["output"].splitlines()[0])
    assert reached.pop("rewritten"), "the forger never got at the session it was to change"
    assert reached == {"uid": 1000, "proc": [], "descriptors": {}, "memory": {}, "planted": []}
    assert not [p for p in psutil.process_iter(["cmdline"]) if any("forger" in w for w in p.info["cmdline"] or ())]
    assert not list(tmp_path.glob("ratchet-arm-*"))


@needs_bubblewrap
def test_a_file_tool_finds_no_descriptor_to_write_to(home: Path, tmp_path: Path, model: ScriptedModel) -> None:
    wanted = {"path": "/proc/self/fd/3", "content": json.dumps({"error": None, "answer": "FORGED"}) + "\n"}
    found = run(home, tmp_path, f"USE_TOOL write_file {json.dumps(wanted)}", "terminal", "file")
    assert (found.error, found.exposed, [call.ok for call in found.tool_trace]) == (None, True, [False])
    assert found.answer != "FORGED"


@needs_bubblewrap
def test_of_a_host_in_a_checkout_only_the_code_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("agent", ".git"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "config").write_text("inside\n")
    for name in ("run_agent.py", ".env", "cli-config.yaml", "auth.json"):
        (tmp_path / name).write_text(f"content of {name}\n")
    (tmp_path / "link").symlink_to("/nowhere/at/all")
    monkeypatch.setattr(sandbox, "_checkout", lambda: tmp_path)
    show = f"cat {tmp_path}/*.* {tmp_path}/.env {tmp_path}/*/config {tmp_path}/.git/config; echo x > {tmp_path}/new.py"
    words = [str(sandbox.bubblewrap()), "--ro-bind", "/", "/", "--dev", "/dev", *sandbox._host_code(), "sh", "-c", show]
    seen = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    assert seen == "content of run_agent.py\ninside\n"
    assert not (tmp_path / "new.py").exists()


@needs_bubblewrap
def test_only_the_worker_may_listen_where_the_model_does() -> None:
    listen = "import socket; socket.create_server(('127.0.0.1', 443))"
    program = f"""
import importlib.util, os, subprocess, sys
os.environ.update(RATCHET_MODEL_SOCKET="/nowhere", RATCHET_MODEL_PORT="80")
spec = importlib.util.spec_from_file_location("worker", {str(sandbox.WORKER)!r})
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
worker._shut()
print(subprocess.run([sys.executable, "-c", {listen!r}], capture_output=True, text=True).stderr[-99:])
"""
    words = [str(sandbox.bubblewrap()), *sandbox._NAMESPACES, *sandbox._right_to(80), "--ro-bind", "/", "/"]
    seen = subprocess.run([*words, sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False)
    assert (seen.returncode, seen.stderr) == (0, "")
    assert "Permission denied" in seen.stdout


def test_without_a_sandbox_the_tools_are_off_and_what_needs_them_is_refused(
    home: Path, tmp_path: Path, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("sandbox", "runner"):
        monkeypatch.setattr(f"karpathy_self_improve.evaluation.running.{module}.bubblewrap", lambda: None)
    answered = run(home, tmp_path, "hello", "skills", "terminal", "file")
    assert (answered.error, answered.exposed) == (None, True)
    offered = {tool["function"]["name"] for tool in model.bodies[-1]["tools"]}
    assert offered == {"skills_list", "skill_view", "skill_manage"}
    assert "are off" in isolation(["skills", "terminal"])
    asked = model.requests
    refused = run(home, tmp_path, "hello", "skills", "terminal", needs=frozenset({"terminal"}))
    assert refused.refused
    assert "the tool 'terminal', which is off: bubblewrap does not work here" in str(refused.error)
    unset = run(home, tmp_path, "hello", "skills", needs=frozenset({"read_file"}))
    assert "evaluation.toolsets has no 'file'" in str(unset.error)
    assert model.requests == asked


def test_a_sandbox_has_no_network_so_tools_of_the_web_are_refused_beside_it(home: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="web"):
        run(home, tmp_path, "hello", "file", "web")


def test_only_an_address_with_a_name_or_on_loopback_leads_out() -> None:
    assert Address.of("https://api.example.com/v1") == Address("api.example.com", 443)
    assert Address.of("http://127.0.0.1:8080/v1") == Address("127.0.0.1", 8080)
    for address in ("http://10.0.0.5:8000/v1", "http://[::1]:8000/v1", "", "api.example.com"):
        with pytest.raises(ModelUnavailable):
            Address.of(address)
