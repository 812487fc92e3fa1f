"""Takes the plugin off this machine again: what it removes, what it keeps, and when it refuses."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from .. import host
from .._db import default_path
from ..errors import Conflict, DiskFailed
from ..ratchet.context import open_context
from ..settings import server_token_path
from . import config_file, dependencies, overview, package, service_unit


class Kind(StrEnum):
    """The things this plugin leaves on a machine."""

    SERVICE = "service"
    LINK = "link"
    ENABLED = "enabled"
    SETTINGS = "settings"
    DATA = "data"
    PACKAGE = "package"
    PROFILE = "profile"


@dataclass(frozen=True)
class Item:
    """One thing found, and whether it is gone now. ``note`` says what to do about a kept one."""

    kind: Kind
    where: str
    removed: bool
    note: str


def uninstall(*, delete_data: bool = False, leave_live: bool = False) -> tuple[Item, ...]:
    """Remove service unit, symlinks and allow-list entries; settings and data only with ``delete_data``.

    No profile's files change. Raises Conflict while a daemon works, or while a change is approved or live unless
    ``leave_live``, and then removes nothing; DiskFailed, SettingsInvalid.
    """
    if default_path().exists():
        _check_idle(leave_live)
    try:
        return (*_service(), *_data(delete_data), *_profiles(delete_data), *_packages())
    except OSError as error:
        raise DiskFailed(f"Not everything could be removed: {error}. Run the command again.") from error


def _check_idle(leave_live: bool) -> None:
    context = open_context()
    try:
        found = overview.look(context)
    finally:
        context.store.close()
    if found.daemon.working:
        raise Conflict(
            f"The daemon is working (process {found.daemon.pid}). Stop it first: {service_unit.stop_command()}, or "
            "Ctrl-C in its terminal.",
            pid=found.daemon.pid,
        )
    in_flight = [p.in_flight for p in found.profiles if p.in_flight]
    if in_flight and not leave_live:
        named = ", ".join(f"{e.id} ({e.state}, profile {e.profile})" for e in in_flight)
        raise Conflict(
            f"A change is on its way: experiment {named}. Take it back first (hermes ratchet revert or reject), or "
            "leave it as it is with --leave-live.",
            experiment_ids=[e.id for e in in_flight],
        )


def _service() -> Iterator[Item]:
    path = service_unit.unit_path()
    if path.exists():
        path.unlink()
        yield Item(Kind.SERVICE, str(path), True, "then: systemctl --user daemon-reload")


def _data(delete: bool) -> Iterator[Item]:
    """Our directory with the reviewers' keys, the server's token, and the database where ``RATCHET_DB`` put it."""
    folder, database = host.data_dir(), default_path()
    outside = [path for path in _parts(database) if not path.is_relative_to(folder)]
    for path in [*outside, server_token_path(), folder]:
        if not path.exists():
            continue
        if delete:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        yield Item(Kind.DATA, str(path), delete, "" if delete else "--delete-data removes it, history included")


def _parts(database: Path) -> list[Path]:
    return [Path(f"{database}{ending}") for ending in ("", "-wal", "-shm", ".lock", ".queue")]


def _profiles(delete_settings: bool) -> Iterator[Item]:
    for profile in host.profiles():
        folder = package.plugin_folder(profile.home)
        if folder.is_symlink() and folder.resolve() == package.PACKAGE:
            folder.unlink()
            yield Item(Kind.LINK, str(folder), True, "")
        if config_file.disable_plugin(profile.home):
            yield Item(Kind.ENABLED, str(profile.home / "config.yaml"), True, "")
        yield Item(Kind.PROFILE, str(profile.home), False, "its files are as they were")
    yield from _settings(delete_settings)


def _settings(delete: bool) -> Iterator[Item]:
    path = host.root() / "config.yaml"
    if delete and config_file.drop_options(host.root()):
        yield Item(Kind.SETTINGS, str(path), True, "")
    elif not delete and config_file.has_options(host.root()):
        yield Item(Kind.SETTINGS, str(path), False, "--delete-data removes them")


def _packages() -> Iterator[Item]:
    """The code itself is the host's or pip's to remove: it is running right now."""
    for profile in host.profiles():
        for copy in package.copies_in(profile.home):
            command = f"hermes -p {profile.name} plugins remove {copy.where.name}"
            yield Item(Kind.PACKAGE, str(copy.where), False, command)
    if pip := package.pip_copy():
        yield Item(Kind.PACKAGE, str(pip.where), False, dependencies.uninstall_command())
