"""A reviewer at a terminal: which key is theirs, what its passphrase is, and the signature itself.

Passphrases are typed, never taken from arguments, variables, standard input or a file, and never asked for in a shell
that an agent opened.
"""

from __future__ import annotations

import getpass
import warnings
from collections.abc import Callable
from pathlib import Path

from .. import host
from ..errors import ApprovalRefused, BadInput
from ..ratchet.context import Context
from ..reviewing import attempts, keys, passphrases
from ..reviewing.challenges import Challenge, Signed
from ..reviewing.keys import KeyFile, SigningKey
from ..reviewing.refusals import KeyUnusable, PassphraseRefused
from ..reviewing.reviewers import ReviewerSet

_UNLOCK = "unlock"


def sign(
    context: Context, current: ReviewerSet, name: str | None, principal: str, ask_for: Callable[[str], Challenge]
) -> Signed:
    """Sign what ``ask_for`` gives for the public key of the reviewer ``name`` (default: the only one with a key here).

    Raises ApprovalRefused, KeyUnusable, WrongPassphrase, PassphraseRefused, TooManyAttempts, and what ``ask_for`` does.
    """
    check_person()
    key = unlocked(context, own_key(context, current, name), principal)
    payload = ask_for(key.public_key).payload
    return Signed(payload, key.sign(payload.message()))


def check_person() -> None:
    """Raises ApprovalRefused in a shell that an agent opened. That keeps mistakes out, not somebody who means it."""
    if host.inside_agent():
        raise ApprovalRefused(
            "An agent cannot sign for a person: reviewer keys are not opened in its tool shells. Use a terminal of "
            "your own."
        )


def keys_folder(context: Context) -> Path:
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


def unlocked(context: Context, file: KeyFile, principal: str) -> SigningKey:
    """Open a key with the passphrase its owner types. Raises WrongPassphrase, KeyUnusable, TooManyAttempts."""
    typed = _asked(f"Passphrase of {file.name}: ")
    with attempts.counted(context.store, principal, _UNLOCK):
        return keys.unlock(file.path, typed)


def new_passphrase(name: str) -> str:
    """A passphrase for a new key: the person's own, or a generated one that is shown on the terminal, once."""
    check_person()
    typed = _asked(f"Passphrase for the new key of {name} (leave it empty to have one generated): ")
    if typed:
        passphrases.check_strong(typed)
    else:
        typed = passphrases.generate()
        _tell(f"\n    {typed}\n\nWrite it down: it is shown only now, and without it the key is lost.")
    if _asked("The same once more: ") != typed:
        raise PassphraseRefused("The two are not the same. Nothing was changed; run the command again.")
    return typed


def _asked(prompt: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # it would go on with an echoing standard input
        try:
            return getpass.getpass(prompt)
        except (getpass.GetPassWarning, EOFError, OSError):
            raise PassphraseRefused(
                "A passphrase is typed at a terminal, and there is none here. Run the command in one."
            ) from None


def _tell(text: str) -> None:
    """To the terminal itself: what is on standard output may go to a file."""
    try:
        with Path("/dev/tty").open("w", encoding="utf-8") as terminal:
            print(text, file=terminal)
    except OSError:
        raise PassphraseRefused("The passphrase can only be shown on a terminal, and there is none here.") from None
