"""Sets the plugin up on this machine: data directory, database, settings, symlinks, allow-lists, first scenarios."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from .. import host
from .._db import default_path
from ..errors import ApprovalRefused, DiskFailed
from ..evaluation.scenario import starters
from ..ratchet.actor import terminal_actor
from ..ratchet.context import Context, open_context
from ..ratchet.signing import consent
from ..reviewing import reviewers
from ..reviewing.payload import Purpose
from . import config_file, package


class StepKind(StrEnum):
    """The things a set-up consists of."""

    DATA_DIRECTORY = "data_directory"
    DATABASE = "database"
    APPROVAL = "approval"
    LINK = "link"
    ENABLED = "enabled"
    SCENARIOS = "scenarios"


@dataclass(frozen=True)
class Step:
    """One thing that was done, or was so already (``changed`` False). ``where`` is a path or a profile's name."""

    kind: StepKind
    where: str
    changed: bool
    note: str


@dataclass(frozen=True)
class SetUp:
    """What a set-up did, the approval mode it ended with, and who may sign."""

    steps: tuple[Step, ...]
    approval: str
    reviewers: tuple[str, ...] = ()


def initialise(targets: Sequence[str] = (), approval: str | None = None) -> SetUp:
    """Set up ``targets`` (default: every profile); what is in place already is left alone.

    Raises UnknownProfile, SettingsInvalid, ApprovalRefused from an agent's tool shell, DiskFailed, StoreUnavailable
    and its kinds.
    """
    profiles = [host.profile(name) for name in targets] or host.profiles()
    host.settings()  # a wrong setting is refused before anything is created
    _check_may_choose(approval)
    steps = [_data_directory(), *_approval(approval)]
    new = not default_path().exists()
    context = open_context()
    try:
        steps.append(Step(StepKind.DATABASE, str(default_path()), new, "created" if new else "in place"))
        for profile in profiles:
            steps += _profile(context, profile)
        with context.store.read() as tx:
            found = consent.look(context, tx)
    finally:
        context.store.close()
    return SetUp(tuple(steps), found.mode, tuple(one.name for one in found.reviewers))


def has_reviewers() -> bool:
    """Whether anybody was ever made a reviewer here, or is pinned: then decisions are signed whatever is configured."""
    if not default_path().exists():
        return False
    context = open_context()
    try:
        with context.store.read() as tx:
            return context.pin is not None or reviewers.load(tx).last_change > 0
    finally:
        context.store.close()


def _check_may_choose(approval: str | None) -> None:
    """Raises ApprovalRefused for unsigned approvals chosen by an agent, or where there are reviewers."""
    if approval != "unsigned":
        return
    if host.inside_agent():
        why = "An agent cannot choose who approves its changes. Set that up in a terminal of your own."
    elif has_reviewers():
        why = (
            "There are reviewers here, or were: without their signature nothing is approved any more. See: hermes "
            "ratchet reviewer list"
        )
    else:
        return
    _leave_trace(why)
    raise ApprovalRefused(why)


def _leave_trace(why: str) -> None:
    if not default_path().exists():
        return
    context = open_context()
    try:
        consent.note_refusal(context, terminal_actor(), Purpose.APPROVE, ApprovalRefused(why))
    finally:
        context.store.close()


def _data_directory() -> Step:
    folder = host.data_dir()
    try:
        new = not folder.exists()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        open_to_others = bool(folder.stat().st_mode & 0o077)
        if open_to_others:
            os.chmod(folder, 0o700)
    except OSError as error:
        raise DiskFailed(f"{folder} cannot be created: {error}.") from error
    note = "created" if new else "closed to other users" if open_to_others else "in place"
    return Step(StepKind.DATA_DIRECTORY, str(folder), new or open_to_others, note)


def _approval(wanted: str | None) -> Iterator[Step]:
    if wanted is not None:
        changed = wanted != host.settings().approval and config_file.set_option(host.root(), "approval", wanted)
        yield Step(StepKind.APPROVAL, str(host.root() / "config.yaml"), changed, wanted)


def _profile(context: Context, profile: host.Profile) -> Iterator[Step]:
    if package.needs_link(profile):
        yield _link(profile.home)
    yield _enabled(profile)
    made = len(starters.ensure_starters(context, profile.name))
    note = f"{made} starter scenarios" if made else "has scenarios"
    yield Step(StepKind.SCENARIOS, profile.name, bool(made), note)


def _link(home: Path) -> Step:
    folder = package.plugin_folder(home)
    try:
        made = package.link(home)
    except OSError as error:
        raise DiskFailed(f"{folder} cannot be made: {error}. Move what is there away and try again.") from error
    return Step(StepKind.LINK, str(folder), made, f"points at {package.PACKAGE}" if made else "in place")


def _enabled(profile: host.Profile) -> Step:
    if package.switched_off(profile.home):
        return Step(StepKind.ENABLED, profile.name, False, "left off: its plugins.disabled names the plugin")
    changed = config_file.enable_plugin(profile.home)
    return Step(StepKind.ENABLED, profile.name, changed, "switched on" if changed else "was on")
