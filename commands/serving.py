"""The command that serves routes and page without the dashboard, for reviewers who want a server of their own."""

from __future__ import annotations

import sys
from argparse import Namespace

from .output import Answer
from .plain import visible


def serve(args: Namespace) -> Answer:
    """Blocks until the server is stopped. The link with the token in it is for a person's terminal, never for a log."""
    from ..serving import run

    options = run.Options(args.host, args.port, tuple(args.name), args.certificate, args.key, args.token_file)
    run.serve(options, _say, show_token=sys.stderr.isatty())
    return Answer({"ok": True}, lambda _: None)


def _say(text: str) -> None:
    print(visible(text), file=sys.stderr, flush=True)
