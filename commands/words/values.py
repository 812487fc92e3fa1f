"""What stands behind an option: numbers that a database can hold, and the options that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..plain import one_line
from .grammar import Parser

_MAX_ID = 2**63 - 1
_MAX_COUNT = 1_000
_LONGEST_SHOWN = 40
_LONGEST_LINE = 1_000
STATES = ("proposed", "approved", "live", "verified", "reverted", "rejected")
JOB_STATES = ("queued", "running", "finished", "failed", "cancelled")


def identifier(text: str) -> int:
    """A positive number that a database can hold. Raises ArgumentTypeError, which argparse reports."""
    return _number(text, 1, _MAX_ID, "the number of anything: 1, 2, 3 and so on")


def count(text: str) -> int:
    """How many rows at most. Raises ArgumentTypeError."""
    return _number(text, 1, _MAX_COUNT, f"a number from 1 to {_MAX_COUNT}")


def port(text: str) -> int:
    """A TCP port; 0 is any that is free. Raises ArgumentTypeError."""
    return _number(text, 0, 65_535, "a port: 0 to 65535")


def line(text: str) -> str:
    """A name: nothing that cannot be seen, and no more than anybody types. Raises ArgumentTypeError."""
    if not text.isprintable() or len(text) > _LONGEST_LINE:
        shown = one_line(repr(text), _LONGEST_SHOWN)
        raise argparse.ArgumentTypeError(f"{shown} is no name: it is too long, or holds what cannot be seen")
    return text


def _number(text: str, least: int, most: int, wanted: str) -> int:
    # int() refuses more than some thousand digits with an error of its own
    digits = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
    if not digits or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{one_line(repr(text), _LONGEST_SHOWN)} is not {wanted}")
    return int(text)


def identified(parser: Parser, what: str = "the experiment's number") -> Parser:
    parser.add_argument("id", type=identifier, metavar="ID", help=what)
    return parser


def limited(parser: Parser, usual: int) -> None:
    parser.add_argument(
        "--limit", type=count, default=usual, metavar="N", help=f"at most this many, up to 1000 (default: {usual})"
    )


def only_target(parser: Parser) -> None:
    parser.add_argument("--target", type=line, metavar="PROFILE", help="only this profile")


def its_target(parser: Parser, what: str = "its profile") -> None:
    parser.add_argument("--target", type=line, metavar="PROFILE", help=f"{what} (default: the active one)")


def in_state(parser: Parser, states: Sequence[str]) -> None:
    parser.add_argument("--state", choices=states, metavar="STATE", help=f"only these: {', '.join(states)}")


def signing(parser: Parser) -> None:
    parser.add_argument(
        "--as", type=line, dest="by", metavar="NAME", help="which reviewer signs, when several have a key here"
    )


def watched(parser: argparse._ActionsContainer) -> None:
    """``--watch``: for a person a screen that is drawn anew, for a program one JSON object a line."""
    parser.add_argument(
        "--watch", action="store_true", help="show it anew every two seconds until Ctrl-C; with --json, a line each"
    )
