"""The systemd user unit that keeps the daemon running."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .. import host
from ..errors import Conflict, DiskFailed, Unavailable
from ..reviewing import pin

NAME = "hermes-ratchet.service"
FOREGROUND = "hermes -p default ratchet daemon"
_HOME = re.compile(r'^Environment="?HERMES_HOME=(.*?)"?\s*$', re.MULTILINE)
_TEMPLATE = """\
[Unit]
Description=Hermes ratchet: applies approved changes, watches them, takes bad ones back
StartLimitIntervalSec=0

[Service]
ExecStart={command}
{environment}
WorkingDirectory=-{root}
Restart=always
RestartSec=10
TimeoutStopSec=20
UMask=0077

[Install]
WantedBy=default.target
"""


@dataclass(frozen=True)
class ServiceUnit:
    """A unit file: where it lies, what it says, whether it was written now, and the commands that use it."""

    path: Path
    text: str
    changed: bool
    commands: tuple[str, ...]


def unit_path() -> Path:
    """Where systemd looks for a user's units."""
    configured = os.environ.get("XDG_CONFIG_HOME")
    base = Path(configured) if configured else Path.home() / ".config"
    return base / "systemd" / "user" / NAME


def units_here() -> tuple[Path, ...]:
    """Every place where a unit of this user for this Hermes root may lie; a unit of another one is left out.

    ``HOME`` and ``XDG_CONFIG_HOME`` are what the caller says they are, so the system's list of users is asked as well.
    """
    places = [unit_path(), *(home / ".config" / "systemd" / "user" / NAME for home in _homes())]
    return tuple(path for path in dict.fromkeys(places) if serves_this_home(path))


def serves_this_home(path: Path) -> bool:
    """Whether the unit at ``path``, if there is one, was written for this Hermes root, or cannot be read."""
    try:
        found = pin.read_unit(path)
    except OSError:
        return True
    root = host.root().resolve()
    return any(Path(_unquoted(home)).resolve() == root for home in _HOME.findall(found))


def _homes() -> Iterator[Path]:
    yield Path.home()
    with suppress(KeyError):  # a user that the system does not list
        yield Path(pwd.getpwuid(os.getuid()).pw_dir)


def _home_line() -> str:
    return f"Environment={_quoted(f'HERMES_HOME={host.root()}')}\n"


def unit_text(fingerprint: str | None = None) -> str:
    """The unit for this Python, this Hermes root, the reviewers with this fingerprint and, when set, this database."""
    words = [sys.executable, "-P", "-m", "hermes_cli.main", "-p", "default", "ratchet", "daemon"]
    variables = {"RATCHET_DB": os.environ.get("RATCHET_DB"), pin.VARIABLE: fingerprint}
    lines = [f"Environment={_quoted(f'{name}={value}')}\n" for name, value in variables.items() if value]
    return _TEMPLATE.format(
        command=" ".join(_quoted(word, in_command=True) for word in words),
        environment="".join([_home_line(), *lines]).rstrip("\n"),
        root=str(host.root()).replace("%", "%%"),
    )


def install(fingerprint: str | None = None) -> ServiceUnit:
    """Write the unit, with the reviewers' fingerprint pinned in it when there is one; nothing is started.

    Raises Unavailable without systemd, Conflict for somebody else's unit.
    """
    if sys.platform == "darwin":
        raise Unavailable(
            "A launchd service is not written yet. Run the daemon in a terminal of its own instead: " + FOREGROUND
        )
    if not shutil.which("systemctl"):
        raise Unavailable(f"There is no systemd here. Run the daemon under your own supervisor: {FOREGROUND}")
    path, text = unit_path(), unit_text(fingerprint)
    found = path.read_text(encoding="utf-8", errors="replace") if path.exists() else None
    if not serves_this_home(path):
        raise Conflict(f"{path} serves another Hermes home. Remove it first, or keep that one.", path=str(path))
    if found != text:
        _write(path, text)
    again = (restart_command(),) if found not in (None, text) else ()
    return ServiceUnit(path, text, found != text, (*start_commands(), *again))


def start_commands() -> tuple[str, ...]:
    """What to type to start the service now and at every boot."""
    return (
        "systemctl --user daemon-reload",
        f"systemctl --user enable --now {NAME}",
        "loginctl enable-linger",
    )


def restart_command() -> str:
    """What to type so that a running service takes up what the unit says now."""
    return f"systemctl --user restart {NAME}"


def stop_command() -> str:
    """What to type to stop the service for good."""
    return f"systemctl --user disable --now {NAME}"


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DiskFailed(f"{path} cannot be written: {error}.") from error


def _unquoted(text: str) -> str:
    """The inverse of :func:`_quoted` for the value of a variable."""
    return re.sub(r"\\(.)", r"\1", text).replace("%%", "%")


def _quoted(word: str, *, in_command: bool = False) -> str:
    """A word as systemd.syntax(7) and systemd.service(5) want it: quoted, ``%`` and, in a command, ``$`` doubled."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped.replace("$", "$$") if in_command else escaped}"'
