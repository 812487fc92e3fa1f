"""What every service needs: the store, the settings, our data directory. Opened once per command, request or round."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .. import host
from .._db import Store, open_store
from .._turnstile import open_lock
from ..errors import DiskFailed, ProfileBusy
from ..installation import service_unit
from ..reviewing import pin
from ..settings import Settings

_LOCK_PATIENCE_S = 15.0


@dataclass(frozen=True)
class Context:
    """The store, the operator's settings and the data directory, passed to every service."""

    store: Store
    settings: Settings
    data: Path

    def home(self, profile: str) -> Path:
        """The home of a profile as the host knows it, never as a row says. Raises UnknownProfile."""
        return host.profile(profile).home

    @property
    def pin(self) -> str | None:
        """The fingerprint that the reviewers must have, read anew each time; None when none is pinned.

        Raises SettingsInvalid for a pin that cannot be read.
        """
        return pin.pinned(*service_unit.units_here())

    @contextmanager
    def profile_lock(self, profile: str) -> Iterator[None]:
        """Hold the profile for one file operation. Raises ProfileBusy after 15 s, DiskFailed."""
        with _open_lock(self.data / "locks", profile) as fd:
            _take(fd, profile)
            yield


def open_context() -> Context:
    """The context of this machine. Raises SettingsInvalid, StoreUnavailable and its kinds."""
    return Context(open_store(), host.settings(), host.data_dir())


@contextmanager
def _open_lock(folder: Path, profile: str) -> Iterator[int]:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = open_lock(folder / f"profile-{profile}.lock", os.O_RDWR)
    except OSError as error:
        raise DiskFailed(f"The lock of profile '{profile}' cannot be opened: {error}.", profile=profile) from error
    try:
        yield fd
    finally:
        os.close(fd)  # closing releases the lock


def _take(fd: int, profile: str) -> None:
    deadline = time.monotonic() + _LOCK_PATIENCE_S
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise ProfileBusy(
                    f"Another process is changing profile '{profile}'. Try again in a moment.", profile=profile
                ) from None
            time.sleep(0.02)
