"""The reviewer keys that lie on this machine: whose they are, and a signature by one of them."""

from __future__ import annotations

from pathlib import Path

from ...errors import BadInput
from ...reviewing import attempts, keys
from ...reviewing.challenges import Challenge, Signed
from ...reviewing.keys import KeyFile, SigningKey
from ...reviewing.payload import parse
from ...reviewing.refusals import KeyUnusable
from ...reviewing.reviewers import ReviewerSet
from ..actor import Actor
from ..context import Context
from . import consent, questions
from .questions import Question

_UNLOCK = "unlock"


def keys_folder(context: Context) -> Path:
    """Where the key files lie; it may not be there."""
    return context.data / "keys"


def own_key(context: Context, current: ReviewerSet, name: str | None) -> KeyFile:
    """The key file of the reviewer ``name``, or of the only one who has one here. Raises KeyUnusable, BadInput."""
    found, unusable = [], []
    for path in keys.key_files(keys_folder(context)):
        try:
            found.append(keys.look(path))
        except KeyUnusable as error:
            unusable.append(error)
    mine = [one for one in found if current.member(one.public_key) and name in (None, one.name)]
    if len(mine) == 1:
        return mine[0]
    if mine:
        names = ", ".join(one.name for one in mine)
        raise BadInput(f"Several reviewers have a key here: {names}. Say who you are with --as.")
    if unusable:
        raise unusable[0]
    who = f"the reviewer '{name}'" if name else "a reviewer"
    raise KeyUnusable(f"There is no key of {who} in {keys_folder(context)}. 'hermes ratchet reviewer list' names all.")


def unlocked(context: Context, file: KeyFile, passphrase: str, principal: str) -> SigningKey:
    """Open a key; a wrong passphrase is counted. Raises WrongPassphrase, KeyUnusable, TooManyAttempts."""
    with attempts.counted(context.store, principal, _UNLOCK):
        return keys.unlock(file.path, passphrase)


def sign(key: SigningKey, challenge: Challenge) -> Signed:
    """The signature that ``challenge`` asks for."""
    return Signed(challenge.payload, key.sign(challenge.payload.message()))


def sign_here(
    context: Context, question: Question, name: str | None, passphrase: str, actor: Actor, *, shown: str | None = None
) -> Signed | None:
    """Sign what ``question`` asks with the key of the reviewer ``name``; None where no signature is needed.

    ``shown`` is a payload that was handed out before, and then signed as it is. Raises what :func:`own_key`,
    :func:`unlocked`, :func:`consent.signers` and :func:`questions.ask` do, PayloadRefused for a ``shown`` that is none.
    """
    with consent.traced(context, actor, question.purpose):
        current = consent.signers(context)
        if current is None:
            return None
        payload = None if shown is None else parse(shown)
        key = unlocked(context, own_key(context, current, name), passphrase, actor.principal)
        if payload is None:
            return sign(key, questions.ask(context, question, key.public_key, actor))
        return Signed(payload, key.sign(payload.message()))
