"""The doctor's look at the database and at who watches: schema, damage, the daemon, its service, stuck profiles."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from .. import _db
from .._turnstile import Turnstile
from ..migrations import to_head
from ..ratchet.context import Context, open_context
from ..ratchet.signing import consent
from ..ratchet.signing.consent import Trust
from ..reviewing.refusals import NoReviewer
from ..schema import HEAD
from . import doctor_waiting, overview, service_unit
from .findings import Finding, note, ok, problem


def database() -> Iterator[Finding]:
    """Raises StoreUnavailable and its kinds, which the doctor reports; an old schema is left for a real command."""
    path = _db.default_path()
    if not path.exists():
        yield _missing(path)
        return
    found = _revision(path)
    if found is not None and found < HEAD:
        what = f"{path} is at schema {found}; this version needs {HEAD}."
        yield problem("database", what, "hermes ratchet status (upgrades it and keeps a copy)")
    else:
        _db.open_store(path).close()
        yield ok("database", f"{path} is sound, at schema {HEAD}.")


def _missing(path: Path) -> Finding:
    """A lock file beside it remembers how much a database held that is not there any more."""
    if path.with_name(f"{path.name}.lock").exists() and (held := Turnstile(path).anchor().writes):
        what = f"{path} is gone, but held {held} writes before."
        return problem("database", what, f"put it back from a backup; to start anew: rm {path}.lock")
    return problem("database", f"There is no database at {path} yet.", "hermes ratchet init")


def watching() -> Iterator[Finding]:
    with_daemon = _opened()
    if with_daemon is None:
        return
    try:
        found = overview.look(with_daemon)
    finally:
        with_daemon.store.close()
    yield _daemon(found.daemon)
    for profile in found.profiles:
        if profile.backing_off:
            what = (
                f"Profile '{profile.profile}' failed {profile.control.failures} times: {profile.control.last_error} "
                f"The daemon tries again at {profile.control.retry_at}."
            )
            yield problem("backing_off", what, f"hermes ratchet status --target {profile.profile}")


def approving() -> Iterator[Finding]:
    """Who can approve: unsigned, nobody yet, reviewers pinned or not; and whether they are still those who were."""
    context = _opened()
    if context is None:
        return
    try:
        found = overview.trust(context)
    finally:
        context.store.close()
    if found.mode == consent.UNSIGNED:
        what = "Approvals are unsigned: whoever runs the command, or opens the dashboard, approves."
        yield note("approval", what, "hermes ratchet reviewer add NAME (from then on approvals are signed)")
        return
    if isinstance(found.trouble, NoReviewer) and found.pinned is None:
        yield note("approval", "Nobody can approve yet: there is no reviewer.", "hermes ratchet reviewer add NAME")
    elif found.trouble is not None:
        what, _, fix = found.trouble.message.rpartition(". ")
        yield problem(found.trouble.code, f"{what}.", fix)
    else:
        yield _pinned(found)
    if found.configured != found.mode:
        what = "The settings say approval: unsigned, which is worth nothing: there are reviewers, or were."
        yield problem("approval_setting", what, "hermes ratchet init --approval signed, and find out who wrote it")


def _pinned(found: Trust) -> Finding:
    names = ", ".join(one.name for one in found.reviewers)
    if found.pinned is None:
        what = f"The reviewers ({names}) are not pinned: whoever replaces them in the database goes unnoticed."
        return note("reviewers", what, "hermes ratchet install-service")
    return ok("reviewers", f"Approvals are signed by: {names}; their fingerprint is the pinned one.")


def unfinished() -> Iterator[Finding]:
    """What waits for a person, and work that nobody does."""
    context = _opened()
    if context is None:
        return
    try:
        yield from doctor_waiting.found(context)
    finally:
        context.store.close()


def service() -> Iterator[Finding]:
    path = service_unit.unit_path()
    if not path.exists():
        return
    started = re.search(r'^ExecStart="([^"]+)"', path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    program = started[1].replace("$$", "$").replace("%%", "%") if started else ""
    if Path(program).exists():
        yield ok("service", f"The service is written in {path}.")
    else:
        yield problem(
            "service", f"{path} starts {program or 'nothing'}, which is gone.", "hermes ratchet install-service"
        )


def _daemon(daemon: overview.DaemonState) -> Finding:
    start = "hermes ratchet daemon (in a terminal of its own), or hermes ratchet install-service"
    if daemon.working:
        return ok("daemon", f"The daemon is at work (process {daemon.pid}).")
    if daemon.heartbeat_at is None:
        return problem("daemon", "No daemon was ever started: nothing is applied, watched or taken back.", start)
    heard = f"last heard of at {daemon.heartbeat_at[:19].replace('T', ' ')} UTC"
    if daemon.alive:
        return note("daemon", f"The daemon was {heard}.", start)
    return problem("daemon", f"The daemon is silent; {heard}.", start)


def _revision(path: Path) -> str | None:
    store = _db.Store(path)
    try:
        with store.read() as tx:
            return to_head.revision(tx, path)
    finally:
        store.close()


def _opened() -> Context | None:
    """The store at head, None when :func:`database` has found something to say about it."""
    path = _db.default_path()
    if not path.exists() or _revision(path) != HEAD:
        return None
    return open_context()


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (database, approving, watching, unfinished, service)
