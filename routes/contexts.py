"""Keeps opened contexts between requests, lends each to one at a time, and checks it anew whenever it is lent."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from .. import _db, host
from ..errors import RatchetError
from ..migrations.to_head import bring_to_head
from ..ratchet.context import Context, open_context

_idle: deque[Context] = deque(maxlen=8)


@contextmanager
def lent() -> Iterator[Context]:
    """A context for one piece of work. Raises SettingsInvalid, StoreUnavailable and its kinds."""
    context = take()
    try:
        yield context
    finally:
        give_back(context)


def take() -> Context:
    """A context that is nobody else's until given back. Raises SettingsInvalid, StoreUnavailable and its kinds."""
    return _kept() or open_context()


def give_back(context: Context) -> None:
    """Keep it for the next one, unless enough are kept."""
    if len(_idle) < (_idle.maxlen or 0):
        _idle.append(context)
    else:
        context.store.close()


def _kept() -> Context | None:
    """One that was open already, if it passes what an opening checks: the file may have been replaced meanwhile."""
    try:
        context = _idle.pop()
    except IndexError:
        return None
    try:
        if context.store.path == _db.default_path().resolve():
            with context.store.read():  # refuses a file that was moved away, which the checks would make anew
                pass
            bring_to_head(context.store)
            return replace(context, settings=host.settings(), data=host.data_dir())
    except RatchetError:
        pass  # opening another one says what is wrong
    context.store.close()
    return None
