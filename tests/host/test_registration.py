"""What register() leaves in the host: as the host's own calls would, and without loading what is not needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PROBE = """
import importlib, json, sys
from hermes_cli.plugins import PluginContext, PluginManager, PluginManifest
plugin = importlib.import_module("karpathy_self_improve")
before = set(sys.modules)
def registered():
    manager = PluginManager()
    plugin.register(PluginContext(PluginManifest(name="karpathy-self-improve", source="user"), manager))
    return manager
light = registered()
loaded = sorted(set(sys.modules) - before)
from hermes_cli.commands import resolve_command
full = registered()
print(json.dumps({
    "same": light._plugin_commands == full._plugin_commands,
    "commands": list(full._plugin_commands),
    "cli": list(full._cli_commands),
    "clash": resolve_command("ratchet") is not None,
    "loaded": loaded,
}))
"""


def test_slash_command_is_registered_as_the_host_would_and_nothing_heavy_is_loaded(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROBE], env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["commands"], found["cli"], found["same"], found["clash"]) == (["ratchet"], ["ratchet"], True, False)
    heavy = ("sqlalchemy", "alembic", "fastapi", "prompt_toolkit", "pydantic", "rich", "hermes_cli.commands")
    assert [name for name in found["loaded"] if name.split(".")[0] in heavy or name in heavy] == []
