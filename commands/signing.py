"""A reviewer at a terminal: which key is theirs, what its passphrase is, and the signature itself.

Passphrases are typed, never taken from arguments, variables, standard input or a file, and never asked for in a shell
that an agent opened.
"""

from __future__ import annotations

import getpass
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .. import host
from ..errors import ApprovalRefused, BadInput
from ..ratchet.actor import Actor
from ..ratchet.context import Context
from ..ratchet.signing import consent, questions, signers, words
from ..ratchet.signing.questions import Question
from ..reviewing import attempts, passphrases
from ..reviewing.challenges import Challenge, Signed
from ..reviewing.keys import KeyFile, SigningKey
from ..reviewing.refusals import PassphraseRefused
from ..reviewing.reviewers import ReviewerSet
from . import output, render

_REPEATS = 3
_DIFF_MARKS = tuple("+- @\\")


def signed_here(context: Context, question: Question, actor: Actor, name: str | None) -> Signed | None:
    """The signature of the person at this terminal for what ``question`` asks; None where none is needed.

    Shows what is signed before the passphrase is asked for. Raises what :func:`sign` and :func:`questions.ask` do;
    a refusal leaves a trace.
    """
    with consent.traced(context, actor, question.purpose):
        current = consent.signers(context)
        if current is None:
            _check_nobody_is_named(name)
            return None
        check_person()
        return sign(context, current, name, actor.principal, partial(_asked_for, context, question, actor))


def _check_nobody_is_named(name: str | None) -> None:
    """Whoever says who signs must not be let believe that it was signed. Raises BadInput."""
    if name is not None:
        raise BadInput(
            "Nothing is signed here: approvals are unsigned. Leave --as out, or begin to sign: hermes ratchet reviewer "
            "add NAME"
        )


def _asked_for(context: Context, question: Question, actor: Actor, signer: str) -> Challenge:
    challenge = questions.ask(context, question, signer, actor)
    _lay_before(words.in_words(context, challenge))
    return challenge


def _lay_before(text: str) -> None:
    """What is signed, on standard error: the change in colour and byte for byte, the rest wrapped at words."""
    paper = output.console(sys.stderr)
    render.heading(paper, "You are about to sign:")
    in_diff = False
    for line in text.split("\n"):
        in_diff = line.startswith("--- ") or (in_diff and line[:1] in _DIFF_MARKS)
        if in_diff:
            render.diff_line(paper, line)
        else:
            render.say(paper, line)


def sign(
    context: Context, current: ReviewerSet, name: str | None, principal: str, ask_for: Callable[[str], Challenge]
) -> Signed:
    """Sign what ``ask_for`` gives for the public key of the reviewer ``name`` (default: the only one with a key here).

    Raises ApprovalRefused, KeyUnusable, WrongPassphrase, PassphraseRefused, TooManyAttempts, and what ``ask_for`` does.
    """
    check_person()
    attempts.check(context.store, principal)
    file = signers.own_key(context, current, name)
    challenge = ask_for(file.public_key)  # first: a passphrase is not typed for what cannot be done
    return signers.sign(unlocked(context, file, principal), challenge)


def check_person() -> None:
    """Raises ApprovalRefused in a shell that an agent opened. That keeps mistakes out, not somebody who means it."""
    if host.inside_agent():
        raise ApprovalRefused(
            "An agent cannot sign for a person: reviewer keys are not opened in its tool shells. Use a terminal of "
            "your own."
        )


def unlocked(context: Context, file: KeyFile, principal: str) -> SigningKey:
    """Open a key with the passphrase its owner types. Raises WrongPassphrase, KeyUnusable, TooManyAttempts."""
    attempts.check(context.store, principal)
    typed = _asked(f"Passphrase of {file.name}: ")
    return signers.unlocked(context, file, typed, principal)


def new_passphrase(name: str) -> str:
    """A passphrase for a new key: the person's own, or a generated one that is shown on the terminal, once."""
    check_person()
    typed = _asked(f"Passphrase for the new key of {name} (leave it empty to have one generated): ")
    if not typed:
        return _generated()
    if not typed.isprintable():
        raise PassphraseRefused("It holds a control character, as an arrow key types one. Run the command again.")
    passphrases.check_strong(typed)
    if _asked("The same once more: ") != typed:
        raise PassphraseRefused("The two are not the same. Nothing was changed; run the command again.")
    return typed


def _generated() -> str:
    made = passphrases.generate()
    _tell(f"\n    {made}\n\nWrite it down: it is shown only now, and without it the key is lost.")
    for _ in range(_REPEATS):
        if _asked("Type it now: ") == made:
            return made
        _tell(f"That was another one. It is still:\n\n    {made}\n")
    raise PassphraseRefused("It was not typed as shown. Nothing was changed; run the command again.")


def _asked(prompt: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # it would go on with an echoing standard input
        try:
            return getpass.getpass(prompt)
        except EOFError:
            raise PassphraseRefused("No passphrase was typed, so nothing was done.") from None
        except (getpass.GetPassWarning, OSError):
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
