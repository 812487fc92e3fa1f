"""A throw-away Hermes home of one worker: copied by allow-list before each run, the version under test put in.

``SOUL.md``, ``memories/*.md`` and ``skills/`` come along (regular files only, no links followed, bounded in size), with
a rebuilt ``config.yaml``. Keys reach the agent as variables of its process, never as a file. ``auth.json``, databases,
logs, hooks and plugins never come along, and nothing is written back.

The home limits what the agent *finds*; it is no sandbox. What the agent can *do* is limited by its toolsets.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import site
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml
from dotenv import dotenv_values

from ...errors import PathRefused, Unavailable
from .arm_config import arm_config, model_variables, secrets

PREFIX = "ratchet-arm-"
SOURCE_TAG = "ratchet-eval"
MAX_FILES = 5_000
MAX_BYTES = 64 * 1024 * 1024
SETTLED_S = 60.0
_NOT_SKILLS = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})
_INHERITED = (
    *("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "PYTHONPATH", "LD_LIBRARY_PATH"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
)


@dataclass(frozen=True)
class ModelAccess:
    """How a profile's agent reaches its model: the arm's config.yaml and the variables of its process.

    Two profiles with equal access can share a worker. ``secrets`` are values no message may repeat.
    """

    config: bytes
    variables: tuple[tuple[str, str], ...]
    secrets: frozenset[str]


def model_access(profile_home: Path) -> ModelAccess:
    """What an arm of this profile needs to reach its model.

    Raises ModelUnavailable when it cannot be reached by API key, Unavailable when the configuration cannot be read.
    """
    config = arm_config(_read_config(profile_home))
    variables = model_variables(config, _available_variables(profile_home))
    written = yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode()
    return ModelAccess(written, tuple(sorted(variables.items())), secrets(config, variables))


class ArmHome:
    """The directories and the environment of one worker, under ``parent`` (default: the temporary directory)."""

    def __init__(self, access: ModelAccess, parent: Path | None = None) -> None:
        self._access = access
        self.root = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        self._in_use = ExitStack()
        self._in_use.enter_context(_in_use(self.root))
        self.home, self.workspace = self.root / "home", self.root / "workspace"
        # What the agent may write to; everything else of the root is ours.
        self.folders = (self.home, self.workspace, self.root / "user", self.root / "tmp")
        for folder in self.folders:
            folder.mkdir(mode=0o700)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables of the worker's process, and no others."""
        fixed = {
            "HERMES_HOME": str(self.home),
            "HERMES_SESSION_SOURCE": SOURCE_TAG,
            # No plugin, hook or MCP server, not even one that a system-wide configuration asks for.
            "HERMES_SAFE_MODE": "1",
            # The logins of other programs (~/.codex, ~/.claude, ~/.aws) are out of sight.
            "HOME": str(self.root / "user"),
            "PYTHONUSERBASE": site.getuserbase(),
            "PYTHONUTF8": "1",
            "TMPDIR": str(self.root / "tmp"),
        }
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        return {**inherited, **dict(self._access.variables), **fixed}

    def furnish(self, profile_home: Path, relpath: str, content: bytes | None) -> None:
        """Put the home into the exact state of one arm: nothing of a run before, everything of the profile.

        ``content`` becomes the file at ``relpath``, whatever the profile holds there; None means the file is absent.
        Raises PathRefused for a path outside SOUL.md, memories and skills, Unavailable when the profile cannot be
        read or is too big to copy.
        """
        target = _contained(relpath)
        for folder in self.folders:
            _empty(folder)
        _copy_profile(profile_home, self.home)
        _put(self.home / target, content)
        _write_private(self.home / "config.yaml", self._access.config)

    def remove(self) -> None:
        """Remove everything; an agent killed a moment ago may still be writing its last file."""
        for _ in range(20):
            shutil.rmtree(self.root, ignore_errors=True)
            if not self.root.exists():
                break
            time.sleep(0.05)
        self._in_use.close()


def _empty(folder: Path) -> None:
    """Removes what is in a folder, not the folder: a process may have it as its working directory."""
    folder.chmod(0o700)
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def remove_leftovers(parent: Path | None = None) -> int:
    """Removes homes that a killed process left under ``parent``; one that is in use stays. Returns how many went."""
    removed = 0
    for root in Path(parent or tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            status = root.lstat()
            ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
            # A home is made first and locked a moment later.
            if ours and time.time() - status.st_mtime > SETTLED_S:
                with _in_use(root):
                    shutil.rmtree(root)
                removed += 1
    return removed


@contextlib.contextmanager
def _in_use(root: Path) -> Iterator[None]:
    """Holds the lock that says so. Raises BlockingIOError when somebody else does."""
    with (root / "in-use").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _contained(relpath: str) -> PurePosixPath:
    path = PurePosixPath(relpath)
    inside = path.parts[:1] in (("memories",), ("skills",)) and len(path.parts) > 1
    if "\0" in relpath or ".." in path.parts or not (inside or relpath == "SOUL.md"):
        raise PathRefused(
            f"'{relpath}' cannot be evaluated: only SOUL.md and files under memories/ and skills/ reach an agent.",
            relpath=relpath,
        )
    return path


def _read_config(profile_home: Path) -> Mapping[str, object]:
    path = profile_home / "config.yaml"
    try:
        parsed = yaml.safe_load(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError) as error:
        raise Unavailable(f"{path} cannot be read ({error}). Correct it and try again.") from None
    return parsed if isinstance(parsed, Mapping) else {}


def _env_file(home: Path) -> dict[str, str]:
    path = home / ".env"
    try:
        return {name: value for name, value in dotenv_values(path, encoding="utf-8").items() if value}
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f"{path} cannot be read ({error}). Correct it and try again.") from None


def _available_variables(profile_home: Path) -> dict[str, str]:
    """The profile's .env over this process's variables, without those this process has from another home's .env."""
    served = Path(os.environ.get("HERMES_HOME") or Path.home() / ".hermes")
    foreign = _env_file(served) if served.resolve() != profile_home.resolve() else {}
    inherited = {name: value for name, value in os.environ.items() if foreign.get(name) != value}
    return {**inherited, **_env_file(profile_home)}


def _copy_profile(profile_home: Path, home: Path) -> None:
    copier = _Copier()
    copier.file(profile_home / "SOUL.md", home / "SOUL.md")
    if not (profile_home / "memories").is_symlink():
        for name in ("MEMORY.md", "USER.md"):
            copier.file(profile_home / "memories" / name, home / "memories" / name)
    copier.tree(profile_home / "skills", home / "skills")


class _Copier:
    """Copies regular files until the limits are reached; links and hidden files stay behind."""

    def __init__(self) -> None:
        self.files = 0
        self.bytes = 0

    def tree(self, source: Path, target: Path) -> None:
        if source.is_symlink():
            return
        for folder, folders, files in os.walk(source, followlinks=False):
            folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in _NOT_SKILLS)
            for name in sorted(files):
                if not name.startswith("."):
                    origin = Path(folder, name)
                    self.file(origin, target / origin.relative_to(source))

    def file(self, source: Path, target: Path) -> None:
        content = self._read(source)
        if content is not None:
            _put(target, content)

    def _read(self, source: Path) -> bytes | None:
        try:
            # Not blocking: opening a named pipe would wait for its other end.
            descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            if source.is_symlink():
                return None
            raise Unavailable(f"{source} cannot be read for an evaluation ({error.strerror}).") from None
        with open(descriptor, "rb") as handle:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            content = handle.read(MAX_BYTES - self.bytes + 1)
        self.files, self.bytes = self.files + 1, self.bytes + len(content)
        if self.files > MAX_FILES or self.bytes > MAX_BYTES:
            raise Unavailable(
                f"The profile's skills are more than {MAX_FILES} files or {MAX_BYTES >> 20} MiB, too much to copy for "
                "each run. Move what the agent does not need out of skills/."
            )
        return content


def _put(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_private(path, content)


def _write_private(path: Path, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
        handle.write(content)
