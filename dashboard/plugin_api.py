"""Hands the dashboard our router: the host runs this file by itself, outside the package it lies in."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_INIT = Path(__file__).resolve().parents[1] / "__init__.py"
_FALLBACK_NAME = "hermes_plugins.karpathy_self_improve"


def _loaded_name() -> str | None:
    """The name under which this process already has our package (pip and directory installs differ), if it has."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and Path(file).name == "__init__.py" and Path(file).resolve() == _INIT:
            return name
    return None


def _load() -> str:
    """Imports the package the way the host's plugin loader would, and returns its name."""
    if "hermes_plugins" not in sys.modules:
        namespace = ModuleType("hermes_plugins")
        namespace.__path__ = []
        sys.modules["hermes_plugins"] = namespace
    spec = importlib.util.spec_from_file_location(_FALLBACK_NAME, _INIT, submodule_search_locations=[str(_INIT.parent)])
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {_INIT}")
    sys.modules[_FALLBACK_NAME] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    return _FALLBACK_NAME


router = importlib.import_module(f"{_loaded_name() or _load()}.plugin_api").router
