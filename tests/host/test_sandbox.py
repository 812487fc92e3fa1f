"""An agent with file and terminal tools sees its own home and the model, and nothing else of this machine."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
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
needs_bubblewrap = pytest.mark.skipif(sandbox.bubblewrap() is None, reason="bubblewrap does not work here")


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


def test_without_a_sandbox_the_tools_are_off_and_what_needs_them_is_refused(
    home: Path, tmp_path: Path, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("sandbox", "runner"):
        monkeypatch.setattr(f"karpathy_self_improve.evaluation.{module}.bubblewrap", lambda: None)
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
