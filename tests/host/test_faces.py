"""Our faces inside the real host: what is registered, `hermes ratchet`, `/ratchet`, and all of it without packages."""

from __future__ import annotations

import json
import os
import shlex
import site
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = "karpathy-self-improve"
Hermes = Callable[..., subprocess.CompletedProcess[str]]
ASK_IN_A_CHAT = """
from hermes_cli.plugins import discover_plugins, get_plugin_command_handler, resolve_plugin_command_result
discover_plugins()
print(resolve_plugin_command_result(get_plugin_command_handler("ratchet")("status")))
"""
LOADED_BY_DISCOVERY = """
import sys
from hermes_cli.plugins import discover_plugins, get_plugin_manager
before = set(sys.modules)
discover_plugins()
assert "ratchet" in get_plugin_manager()._cli_commands
print(*sorted({name.split(".")[0] for name in set(sys.modules) - before}))
"""
CALL_THE_API = """
from hermes_cli import web_server
from starlette.testclient import TestClient
token = {web_server._SESSION_HEADER_NAME: web_server._SESSION_TOKEN}
client = TestClient(web_server.app, base_url="http://127.0.0.1", headers=token)
for path in ("health", "experiments", "experiments/1/history"):
    answer = client.get(f"/api/plugins/karpathy-self-improve/{path}")
    print(answer.status_code, answer.json()["code"], answer.json()["error"])
"""


def in_python(home: Path, code: str, python: str = sys.executable) -> str:
    """What ``code`` prints in a process of its own that has the host, for the given home."""
    env = {**os.environ, "HERMES_HOME": str(home)}
    done = subprocess.run([python, "-P", "-c", code], env=env, cwd=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_plugin_yaml_declares_exactly_what_is_registered() -> None:
    from hermes_cli.plugins import PluginContext, PluginManager, PluginManifest

    import karpathy_self_improve

    manager = PluginManager()
    karpathy_self_improve.register(PluginContext(PluginManifest(name=PLUGIN, source="user", key=PLUGIN), manager))
    declared: dict[str, Any] = yaml.safe_load((ROOT / "plugin.yaml").read_text(encoding="utf-8"))
    assert sorted(manager._hooks) == sorted(declared["provides_hooks"])
    assert sorted(manager._plugin_tool_names) == sorted(declared["provides_tools"])
    assert list(manager._cli_commands) == list(manager._plugin_commands) == ["ratchet"]


def test_discovery_loads_nothing_heavy(home: Path) -> None:
    loaded = set(in_python(home, LOADED_BY_DISCOVERY).split())
    assert "karpathy_self_improve" in loaded
    assert loaded & {"sqlalchemy", "alembic", "fastapi", "jsonschema", "re2", "markdown_it", "uvicorn"} == set()


def test_the_command_answers_in_the_form_and_with_the_code_it_promises(hermes: Hermes) -> None:
    status = hermes("ratchet", "status", "--json")
    assert status.returncode == 0, status.stderr
    assert json.loads(status.stdout)["profiles"][0]["profile"] == "default"
    wrong = hermes("ratchet", "approve", "x", "--json")
    assert (wrong.returncode, json.loads(wrong.stdout)["code"]) == (2, "bad_input")
    refused = hermes("ratchet", "show", "77")
    said = "There is no experiment 77. All there are: hermes ratchet list"
    assert (refused.returncode, refused.stdout, refused.stderr.strip()) == (2, "", said)
    assert "one change, from proposal to verdict" in hermes("ratchet", "--help").stdout


def test_the_hosts_profile_flag_chooses_the_profile(hermes: Hermes, home: Path) -> None:
    coder = home / "profiles" / "coder"
    coder.mkdir(parents=True)
    for name in ("config.yaml", "SOUL.md"):
        (coder / name).write_bytes((home / name).read_bytes())
    made = hermes("ratchet", "new", "--replace", "briefly", "very briefly", "-p", "coder", "--json")
    assert made.returncode == 0, made.stderr
    shown = json.loads(hermes("ratchet", "show", "1", "--json").stdout)
    assert shown["experiment"]["profile"] == "coder"


@pytest.fixture
def without_our_packages(tmp_path: Path) -> str:
    """An interpreter with the host and our plugin, but without SQLAlchemy and Alembic."""
    folder = tmp_path / "bare"
    venv.create(folder, with_pip=False, symlinks=True)
    target = next((folder / "lib").glob("python3*/site-packages"))
    for entry in Path(site.getsitepackages()[0]).iterdir():
        if not entry.name.lower().startswith(("sqlalchemy", "alembic")):
            (target / entry.name).symlink_to(entry)
    return str(folder / "bin" / "python")


def test_missing_packages_are_a_sentence_with_the_exact_command(
    hermes: Hermes, home: Path, without_our_packages: str
) -> None:
    command = shlex.join([without_our_packages, "-m", "pip", "install", "alembic>=1.13", "sqlalchemy>=2,<3"])
    status = hermes("ratchet", "status", python=without_our_packages)
    assert (status.returncode, status.stdout) == (1, "")
    assert status.stderr.strip().endswith(command)
    doctor = hermes("ratchet", "doctor", "--json", python=without_our_packages)
    found = {finding["code"]: finding for finding in json.loads(doctor.stdout)["findings"]}
    assert (doctor.returncode, found["dependencies"]["fix"]) == (1, command)
    assert "pip install" in in_python(home, ASK_IN_A_CHAT, without_our_packages)
    (home / "plugins").mkdir()
    (home / "plugins" / PLUGIN).symlink_to(ROOT)
    answers = in_python(home, CALL_THE_API, without_our_packages).splitlines()
    assert [line.split()[:2] for line in answers] == [["503", "dependency_missing"]] * 3
    assert all(line.endswith(command) for line in answers)
