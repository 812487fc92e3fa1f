"""The words about who may approve: the reviewers and their keys, and the trail of what was decided."""

from __future__ import annotations

from . import values
from .grammar import Commands


def add(commands: Commands) -> None:
    commands.group("who may approve")
    reviewer = commands.add(
        "reviewer", "the reviewers: list, add, remove, rotate, reset", "reviewer list", "reviewer add ana"
    )
    below = Commands(reviewer, "commands")
    below.add(
        "list",
        "who may sign, and their fingerprint",
        "reviewer list",
        handler="reviewer.list_all",
        exits=("1  the reviewers are not those that were pinned, or tampered with",),
    )
    typed = ("2  no terminal: a passphrase is only ever typed at one", "3  refused: wrong passphrase, no right to sign")
    add_ = below.add(
        "add",
        "a key for one more reviewer; the first is the set-up",
        "reviewer add ana",
        "reviewer add ben --as ana",
        handler="reviewer.add",
        exits=typed,
    )
    remove = below.add(
        "remove",
        "take the right to sign from a reviewer",
        "reviewer remove ben",
        handler="reviewer.remove",
        exits=typed,
    )
    rotate = below.add(
        "rotate",
        "a new key and passphrase in place of one's own",
        "reviewer rotate --as ana",
        handler="reviewer.rotate",
        exits=typed,
    )
    reset = below.add(
        "reset",
        "forget all reviewers and begin anew with one",
        "reviewer reset ana",
        handler="reviewer.reset",
        exits=typed,
    )
    for parser in (add_, remove, reset):
        parser.add_argument("name", type=values.line, metavar="NAME", help="what the reviewer is called")
    for parser in (add_, remove, rotate):
        values.signing(parser)
    audit = commands.add("audit", "the audit trail: verify", "audit verify")
    Commands(audit, "commands").add(
        "verify",
        "check the whole hash chain and its witnesses",
        "audit verify",
        handler="operating.audit_verify",
        exits=("1  broken; each break is named",),
    )
