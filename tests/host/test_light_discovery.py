"""The host looks for plugins in every process it starts: ours must cost nothing until it is used."""

from __future__ import annotations

import json
import os
import subprocess
import sys

DISCOVER = """
import json, sys
from hermes_cli import plugins
plugins.discover_plugins()
loaded = [found["name"] for found in plugins.get_plugin_manager().list_plugins() if found["enabled"]]
print(json.dumps([loaded, sorted(sys.modules)]))
"""


def test_discovery_loads_the_doors_and_nothing_behind_them(home):
    command = [sys.executable, "-P", "-c", DISCOVER]
    done = subprocess.run(command, env={**os.environ, "HERMES_HOME": str(home)}, capture_output=True, text=True)
    loaded, modules = json.loads(done.stdout.splitlines()[-1])
    assert "karpathy-self-improve" in loaded
    assert {"sqlalchemy", "alembic", "fastapi"} & set(modules) == set()
    ours = {name for name in modules if name.startswith("karpathy_self_improve")}
    package = "karpathy_self_improve"
    assert ours == {package, f"{package}.commands", f"{package}.commands.entry"}
