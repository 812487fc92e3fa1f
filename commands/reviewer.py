"""The commands about who may sign: reviewer add, list, remove, rotate, reset."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from ..errors import BadInput, Forbidden, SettingsInvalid
from ..ratchet.context import Context
from ..ratchet.signing import signers
from ..reviewing import attempts, changes, keys, pin, reviewers
from ..reviewing.keys import KeyFile, SigningKey
from ..reviewing.payload import Purpose
from ..reviewing.refusals import KeyUnusable, NoReviewer
from ..reviewing.reviewers import Reviewer, ReviewerSet
from . import render, session, signing
from .exits import Exit
from .output import Answer
from .render import Column

_COLUMNS = (
    Column("reviewer", most=20),
    Column("public key", takes_rest=True),
    Column("since", 10),
    Column("key file here", most=20),
)
_PIN = "Now pin this fingerprint, and restart the daemon: hermes ratchet install-service"
_RESET = "reset"


def add(args: Namespace) -> Answer:
    """The first reviewer is the set-up; every further one is vouched for by one who is there."""
    with _deciding() as (context, principal):
        current = _untampered(context)
        if any(one.name == args.name for one in current.members):
            raise BadInput(f"There is a reviewer '{args.name}' already. Take another name, or rotate their key.")
        signer = _signer(context, current, args.by, principal) if current.members else None
        with _new_key(context, args.name) as (file, key), _counted(context, principal):
            if signer:
                done = changes.add(context.store, signer, key.public_key, args.name, principal)
            else:
                done = changes.set_up(context.store, key, args.name, principal)
        return _changed(context, done, file)


def remove(args: Namespace) -> Answer:
    with _deciding() as (context, principal):
        current = _untampered(context)
        leaving = next((one for one in current.members if one.name == args.name), None)
        if leaving is None:
            raise BadInput(f"There is no reviewer '{args.name}'. 'hermes ratchet reviewer list' names all.")
        signer = _signer(context, current, args.by, principal)
        with _counted(context, principal, Purpose.REVIEWER_REMOVE):
            done = changes.remove(context.store, signer, leaving.public_key, principal)
        _discard(context, leaving.public_key)
        return _changed(context, done)


def rotate(args: Namespace) -> Answer:
    """A new key and a new passphrase for the one who signs; the old key is worth nothing from then on."""
    with _deciding() as (context, principal):
        current = _untampered(context)
        old = _signer(context, current, args.by, principal)
        name = next(one.name for one in current.members if one.public_key == old.public_key)
        with _new_key(context, name) as (file, key), _counted(context, principal):
            done = changes.rotate(context.store, old, key.public_key, name, principal)
        _discard(context, old.public_key)
        return _changed(context, done, file)


def reset(args: Namespace) -> Answer:
    """For when no passphrase is left, or the log was tampered with. Nobody vouches for the new reviewer."""
    with _deciding() as (context, principal):
        _confirm_reset()
        with _new_key(context, args.name) as (file, key), _counted(context, principal):
            done = changes.reset(context.store, key, args.name, principal)
        return _changed(context, done, file)


def list_all(_: Namespace) -> Answer:
    with session.opened() as context:
        pinned = context.pin
        with context.store.read() as tx:
            current = reviewers.load(tx)
        here = {one.public_key: one.path for one in _files(context)}
    trouble = current.trouble(pinned)
    document = {**_document(current), "pinned": pinned, "trouble": trouble.message if trouble else None}
    code = Exit.OK if trouble is None or isinstance(trouble, NoReviewer) else Exit.FAILED
    return Answer(document, lambda console: _show(console, current, here, pinned, trouble), code)


@contextmanager
def _deciding() -> Iterator[tuple[Context, str]]:
    """The context and the principal of a person at a terminal of their own.

    Raises ApprovalRefused; TooManyAttempts before anything is typed in vain.
    """
    signing.check_person()
    with session.opened() as context:
        principal = session.actor().principal
        attempts.check(context.store, principal)
        yield context, principal


@contextmanager
def _new_key(context: Context, name: str) -> Iterator[tuple[KeyFile, SigningKey]]:
    """A new key with a new passphrase; its file goes away again when the change does not come about."""
    keys.check_name(name)
    file, key = keys.create(signers.keys_folder(context), name, signing.new_passphrase(name))
    try:
        yield file, key
    except BaseException:
        file.path.unlink(missing_ok=True)
        raise


def _counted(context: Context, principal: str, purpose: Purpose = Purpose.REVIEWER_ADD) -> AbstractContextManager[None]:
    return attempts.counted(context.store, principal, purpose.value)


def _untampered(context: Context) -> ReviewerSet:
    """Today's reviewers, who may be none. Raises ReviewersTampered. Not held against the pin, which follows them."""
    with context.store.read() as tx:
        current = reviewers.load(tx)
    trouble = current.trouble(None)
    if trouble is not None and not isinstance(trouble, NoReviewer):
        raise trouble
    return current


def _signer(context: Context, current: ReviewerSet, name: str | None, principal: str) -> SigningKey:
    return signing.unlocked(context, signers.own_key(context, current, name), principal)


def _confirm_reset() -> None:
    if not sys.stdin.isatty():
        raise BadInput(
            f"A reset is confirmed by typing '{_RESET}' at a terminal, and there is none here; no option stands for it."
        )
    print(
        "All reviewers are forgotten, and what they approved and is not applied yet becomes void. It is recorded, and\n"
        "a daemon with a pinned fingerprint applies nothing until you pin the new one.\n"
        f"To go on, type {_RESET}: ",
        end="",
        file=sys.stderr,  # standard output is for the answer
        flush=True,
    )
    try:
        typed = input().strip()
    except EOFError:
        typed = ""
    if typed != _RESET:
        raise BadInput("Nothing was changed.")


def _files(context: Context) -> Iterator[KeyFile]:
    for path in keys.key_files(signers.keys_folder(context)):
        try:
            yield keys.look(path)
        except KeyUnusable:
            continue  # whoever needs that one is told when they sign


def _discard(context: Context, public_key: str) -> None:
    """Delete a key file that nothing accepts any more."""
    for one in _files(context):
        if one.public_key == public_key:
            one.path.unlink(missing_ok=True)


def _document(current: ReviewerSet) -> dict[str, Any]:
    fingerprint = current.fingerprint if current.members else None
    return {"fingerprint": fingerprint, "reviewers": [asdict(one) for one in current.members]}


def _changed(context: Context, done: ReviewerSet, file: KeyFile | None = None) -> Answer:
    pinned = _pinned(context)
    document = {
        **_document(done),
        "key_file": str(file.path) if file else None,
        "pinned": pinned,
        "pin_needed": pinned != done.fingerprint,
    }
    return Answer(document, _after_change(done, file), warning=lambda console: _warn(console, done, pinned))


def _pinned(context: Context) -> str | None:
    """What is pinned; a pin that cannot be read is one that this set of reviewers does not have."""
    try:
        return context.pin
    except SettingsInvalid as error:
        return error.message


def _warn(console: Console, done: ReviewerSet, pinned: str | None) -> None:
    """What is left to do, where it cannot be overlooked."""
    if pinned == done.fingerprint:
        return
    if pinned is None:
        said = "These reviewers are not pinned: whoever can write the database can put others in their place unnoticed."
    else:
        said = "Other reviewers are pinned: FROM NOW ON NOTHING IS APPROVED OR APPLIED, until these are pinned."
    render.warning(
        console,
        "Pin the reviewers now",
        [
            said,
            "hermes ratchet install-service",
            f"Then restart the daemon. Where it is started in another way, give it {pin.VARIABLE}, which stands below.",
        ],
    )
    render.verbatim(console, f"{pin.VARIABLE}={done.fingerprint}")  # outside of the frame: it is there to be copied


def _after_change(done: ReviewerSet, file: KeyFile | None) -> Callable[[Console], None]:
    def view(console: Console) -> None:
        names = ", ".join(one.name for one in done.members)
        render.say(console, f"Reviewers now: {names}")
        render.verbatim(console, f"fingerprint  {done.fingerprint}")
        if file:
            render.verbatim(console, f"key file     {file.path}")
            render.say(console, "Keep a copy of the key file elsewhere: with the passphrase, it is all there is.")
            render.say(console, "Write the fingerprint down: another one than this means that somebody else can sign.")

    return view


def _show(
    console: Console, current: ReviewerSet, here: dict[str, Path], pinned: str | None, trouble: Forbidden | None
) -> None:
    if current.members:
        console.print(render.table(_COLUMNS, [_row(one, here) for one in current.members]))
        render.verbatim(console, f"fingerprint  {current.fingerprint}")
        render.say(console, "pinned       yes" if pinned == current.fingerprint else f"pinned       {pinned or 'no'}")
    if trouble:
        render.say(console, trouble.message, "" if isinstance(trouble, NoReviewer) else "red")
    elif pinned is None:
        render.say(console, _PIN, "yellow")


def _row(one: Reviewer, here: dict[str, Path]) -> tuple[object, ...]:
    path = here.get(one.public_key)
    return one.name, one.public_key, render.ago(one.since), path.name if path else None
