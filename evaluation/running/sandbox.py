"""A worker in bubblewrap: its own mounts and processes, no home but the throw-away one, no network but to the model.

What an agent with file and terminal tools can do, it can do as this user. So those tools exist only here: the system
and this Python read-only, the arm's folders, nothing else of the disk, and one loopback port behind which
:mod:`.model_door` leads to the model's host. The key to the model is in there too, and
nobody to send it to but the model's own host. The worker, which reports on the agent, is out of the agent's reach.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from ...errors import ModelUnavailable
from .agent_process import WORKER, worker_command
from .arm_home import ArmHome

TOOLS = {
    "file": frozenset({"read_file", "write_file", "patch", "search_files"}),
    "terminal": frozenset({"terminal", "process"}),
}
"""The toolsets that exist only in a sandbox, with their tools."""

SOCKET = "model.sock"
FIRST_FREE_PORT = 1024
# The worker is the first process: it cannot be signalled from inside, and no other one there holds its pipes.
_NAMESPACES = (
    *("--unshare-all", "--unshare-user", "--uid", "1000", "--gid", "1000", "--as-pid-1", "--die-with-parent"),
    *("--cap-drop", "ALL"),
)
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
_ETC = ("ssl", "pki", "ca-certificates", "alternatives", "ld.so.cache", "localtime", "nsswitch.conf")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_LOOPBACK = frozenset({"localhost", "127.0.0.1"})


@cache
def bubblewrap() -> str | None:
    """The path of a bubblewrap that works here, None without one: other systems, no user namespaces, not installed."""
    found = shutil.which("bwrap") if sys.platform == "linux" else None
    if found is None:
        return None
    tried = subprocess.run([found, *_NAMESPACES, "--ro-bind", "/", "/", "true"], capture_output=True, timeout=30)
    return found if tried.returncode == 0 else None


def isolation(toolsets: Collection[str]) -> str:
    """What keeps an evaluated agent with these toolsets from everything else, in words for the report."""
    if not TOOLS.keys() & set(toolsets):
        return "throw-away home, no file or terminal tools"
    if bubblewrap() is None:
        return "throw-away home; file and terminal tools are off, because bubblewrap does not work here"
    return "throw-away home in bubblewrap: own mounts, network to the model only"


def missing_tool(needed: Collection[str], toolsets: Collection[str]) -> str | None:
    """Why a scenario that needs these tools cannot be run with these toolsets; None when it can."""
    for toolset, tools in TOOLS.items():
        for tool in sorted(tools & set(needed)):
            if toolset not in toolsets:
                return f"it needs the tool '{tool}', and evaluation.toolsets has no '{toolset}'"
            if bubblewrap() is None:
                return f"it needs the tool '{tool}', which is off: bubblewrap does not work here"
    return None


@dataclass(frozen=True)
class Address:
    """Where the model is."""

    host: str
    port: int

    @classmethod
    def of(cls, base_url: str) -> Address:
        """Raises ModelUnavailable for an address that cannot be reached from a sandbox."""
        parts = urlsplit(base_url)
        host, port = parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
        named = any(letter.isalpha() for letter in host) and ":" not in host
        if not port or not (named or host in _LOOPBACK):
            raise ModelUnavailable(
                f"A sandboxed agent cannot reach its model at '{base_url}': the address must have a host name or be "
                "127.0.0.1. Give the host a name, or take 'file' and 'terminal' out of evaluation.toolsets."
            )
        return cls(host, port)


def command(home: ArmHome, address: Address) -> list[str]:
    """How a worker of this home is started in a sandbox. Writes the few files of /etc that it sees."""
    hosts = _written(home, "hosts", f"127.0.0.1 localhost {address.host}\n")
    passwd = _written(home, "passwd", f"agent:x:1000:1000::{home.root / 'user'}:/bin/sh\n")
    socket = str(home.root / SOCKET)
    # No /proc: it would lead from any process into the worker's files and memory.
    words = [str(bubblewrap()), *_NAMESPACES, *_right_to(address.port), "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108
    words += _host_code()
    words += [word for place in _readable() for word in ("--ro-bind-try", place, place)]
    words += [word for place in _SYSTEM for word in _as_it_is(Path(place))]
    words += ["--ro-bind", hosts, "/etc/hosts", "--ro-bind", passwd, "/etc/passwd", "--ro-bind", socket, socket]
    words += [word for folder in map(str, home.folders) for word in ("--bind", folder, folder)]
    # What the worker imports may not be found where the agent can put it.
    return [*words, "--remount-ro", "/", "--chdir", str(home.workspace), *worker_command()]


def _right_to(port: int) -> tuple[str, ...]:
    """The worker's only right beyond its user's, for where the model is behind a system's port; it gives it up."""
    return ("--cap-add", "CAP_NET_BIND_SERVICE") if port < FIRST_FREE_PORT else ()


def _as_it_is(place: Path) -> tuple[str, ...]:
    """A system's folder read-only; often /bin and others are links into /usr."""
    if place.is_symlink():
        return "--symlink", str(place.readlink()), str(place)
    return ("--ro-bind", str(place), str(place)) if place.is_dir() else ()


def environment(home: ArmHome, address: Address) -> dict[str, str]:
    """The variables of a worker in a sandbox: no proxy is in reach, and the model is behind a socket."""
    kept = {name: value for name, value in home.environment.items() if not name.lower().endswith("_proxy")}
    # No other folder of modules: it would be missing inside, or the agent's to fill.
    kept["PYTHONPATH"] = str(_checkout() or "")
    return {**kept, "RATCHET_MODEL_SOCKET": str(home.root / SOCKET), "RATCHET_MODEL_PORT": str(address.port)}


def _written(home: ArmHome, name: str, text: str) -> str:
    path = home.root / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def _readable() -> Iterator[str]:
    """What a worker must be able to read beside the system: certificates, this Python, the worker."""
    yield from (f"/etc/{name}" for name in _ETC)
    yield from (os.environ[name] for name in _CERTIFICATES if name in os.environ)
    yield from sorted({sys.prefix, sys.base_prefix})
    yield str(WORKER)


def _checkout() -> Path | None:
    """The folder of a host that runs from its source, None for one installed into this Python."""
    host = importlib.util.find_spec("run_agent")
    if host is None or host.origin is None or Path(host.origin).is_relative_to(sys.prefix):
        return None
    return Path(host.origin).parent


def _host_code() -> list[str]:
    """A host's source read-only, without what else lies beside it: .env, a configuration, the repository."""
    folder = _checkout()
    if folder is None:
        return []
    words = ["--ro-bind", str(folder), str(folder)]
    # What a link leads to is either out of sight or shown where it is.
    for entry in sorted(entry for entry in folder.iterdir() if not entry.is_symlink()):
        if entry.is_dir() and entry.name.startswith("."):
            words += ["--tmpfs", str(entry)]
        elif not entry.is_dir() and entry.suffix != ".py":
            words += ["--ro-bind", os.devnull, str(entry)]
    return words
