"""The words of ``hermes ratchet``: every command with its flags, its help and an example. Standard library only.

The host takes ``-p`` and ``--profile`` for itself wherever they stand, and glues words together after ``-c`` and
``-r``: a profile is named by ``--target``, and there are no one-letter flags.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..errors import BadInput

_PROG = "hermes ratchet"
_MAX_ID = 2**63 - 1
STATES = ("proposed", "approved", "live", "verified", "reverted", "rejected")
JOB_STATES = ("queued", "running", "finished", "failed", "cancelled")
_OVERVIEW = """\
one change, from proposal to verdict:
  hermes ratchet init
  hermes ratchet reviewer add ann   (a key for the person who will approve)
  hermes ratchet new --replace "Be brief." "Answer in at most three sentences."
  hermes ratchet evaluate 1
  hermes ratchet approve 1
  hermes ratchet daemon             (applies, watches, keeps or takes back)
  hermes ratchet status

exit codes: 0 done, 1 failed, 2 wrong use, 3 refused, 4 inconclusive.
Every command takes --json, and has its own --help with an example.
"""


class _Parser(argparse.ArgumentParser):
    """Reports wrong use as an error of ours, so that it is answered like every other."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message[:1].upper()}{message[1:]}. See: {self.prog} --help")


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The parsed words; ``handler`` names who carries them out. Raises BadInput; SystemExit(0) after ``--help``."""
    tree = _tree()
    found, unknown = tree.parse_known_args(list(words) or ["--help"])
    if unknown:
        below = next((parser for name, parser in _leaves(tree) if _starts_with(words, name.split())), tree)
        below.error(f"unrecognized arguments: {' '.join(unknown)}")
    return found


def _starts_with(words: Sequence[str], name: Sequence[str]) -> bool:
    return list(words[: len(name)]) == list(name)


def commands() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that does something, as typed, with its parser."""
    return _leaves(_tree())


def _leaves(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield parser.prog.removeprefix(f"{_PROG} "), parser
    for action in below:
        for child in action.choices.values():
            yield from _leaves(child)


class _Commands:
    """Adds commands below one parser, each with ``--json``, a help line and an example."""

    def __init__(self, parser: _Parser, title: str) -> None:
        self._below = parser.add_subparsers(title=title, metavar="COMMAND", required=True, parser_class=_Parser)

    def add(self, name: str, help_text: str, example: str, handler: str | None = None) -> _Parser:
        epilog = f"example:\n  {_PROG} {example}"
        made: _Parser = self._below.add_parser(name, help=help_text, description=help_text, epilog=epilog)
        if handler:
            made.add_argument("--json", action="store_true", help="print one JSON document instead of text")
            made.set_defaults(handler=handler)
        return made


def _tree() -> _Parser:
    root = _Parser(
        prog=_PROG,
        description="Improve this agent's prompt files by small, measured, reversible changes.",
        epilog=_OVERVIEW,
    )
    commands = _Commands(root, "commands")
    _setting_up(commands)
    _proposing(commands)
    _looking(commands)
    _deciding(commands)
    _deciding_windows(commands)
    _reviewing(commands)
    _measuring(commands)
    _running(commands)
    return root


def _setting_up(commands: _Commands) -> None:
    init = commands.add("init", "set the plugin up; repeat it at will", "init --approval unsigned", "setting_up.init")
    init.add_argument("--target", action="append", default=[], metavar="PROFILE", help="only this profile (repeatable)")
    init.add_argument(
        "--approval",
        choices=("signed", "unsigned"),
        help="who may approve: 'signed' (default) is whoever holds a reviewer's key, 'unsigned' whoever runs a command",
    )
    init.add_argument("--yes", action="store_true", help="ask nothing")
    commands.add("doctor", "name everything that is wrong, each with its fix", "doctor", "setting_up.doctor")
    commands.add("install-service", "write a systemd user unit for the daemon", "install-service", "setting_up.service")
    remove = commands.add(
        "uninstall", "take the plugin off this machine; profiles stay as they are", "uninstall", "setting_up.uninstall"
    )
    remove.add_argument(
        "--delete-data", action="store_true", help="also delete the database, its history, our settings"
    )
    remove.add_argument("--leave-live", action="store_true", help="even while a change is approved or live")
    remove.add_argument("--yes", action="store_true", help="ask nothing")
    demo = commands.add("demo", "the whole loop in a throw-away home with a scripted model", "demo", "setting_up.demo")
    demo.add_argument("--headless", action="store_true", help="decide by itself instead of opening the dashboard")
    demo.add_argument("--keep", action="store_true", help="keep the throw-away home")


def _proposing(commands: _Commands) -> None:
    new = commands.add(
        "new",
        "propose one small change to one file",
        'new --target coder --file SOUL.md \\\n      --replace "Be brief." "Be very brief." --why "answers ran long"',
        "changes.new",
    )
    new.add_argument("--target", metavar="PROFILE", help="the profile to change (default: the active one)")
    new.add_argument("--file", default="SOUL.md", metavar="RELPATH", help="the file in that profile (default: SOUL.md)")
    how = new.add_mutually_exclusive_group(required=True)
    how.add_argument("--content", metavar="PATH", help="the whole new text, from a file ('-': standard input)")
    how.add_argument("--diff", metavar="PATH", help="a unified diff of one hunk, from a file ('-': standard input)")
    how.add_argument("--replace", nargs=2, metavar=("OLD", "NEW"), help="replace the one place where OLD stands")
    new.add_argument("--why", default="", metavar="TEXT", help="what it should improve")
    propose = commands.add("propose", "let a model propose a change (not there yet)", "propose", "changes.propose")
    propose.add_argument("--target", metavar="PROFILE", help="the profile to change (default: the active one)")


def _looking(commands: _Commands) -> None:
    status = commands.add("status", "what stands where, profile by profile", "status", "operating.status")
    status.add_argument("--target", metavar="PROFILE", help="only this profile")
    metrics = commands.add(
        "metrics", "sessions, errors, warnings, tokens and cost, window by window", "metrics default", "metrics.show"
    )
    metrics.add_argument("target", nargs="?", metavar="PROFILE", help="default: the newest window of every profile")
    metrics.add_argument("--limit", type=int, default=20, metavar="N", help="at most this many windows (default: 20)")
    metrics.add_argument("--collect", action="store_true", help="first take in what is new, as one more window")
    listing = commands.add("list", "the experiments, newest first", "list --state proposed", "changes.list_all")
    listing.add_argument("--target", metavar="PROFILE", help="only this profile")
    _state(listing, STATES)
    listing.add_argument("--limit", type=int, default=20, metavar="N", help="at most this many (default: 20)")
    listing.add_argument("--before", type=_identifier, metavar="ID", help="only those older than this one")
    for name, help_text, handler in (
        ("show", "everything a reviewer decides from", "changes.show"),
        ("diff", "the proposed change as a unified diff", "changes.diff"),
        ("history", "every step an experiment took, and by whom", "changes.history"),
        ("live", "where the live window of an experiment stands", "measuring.live"),
    ):
        _identified(commands.add(name, help_text, f"{name} 3", handler))


def _deciding(commands: _Commands) -> None:
    approve = _identified(commands.add("approve", "let a measured change go live", "approve 3", "changes.approve"))
    approve.add_argument("--override", metavar="REASON", help="approve without a finished evaluation, and say why")
    _signing(approve)
    reject = _identified(
        commands.add(
            "reject", "refuse a proposal, or withdraw an approval", 'reject 3 --reason "too vague"', "changes.reject"
        )
    )
    reject.add_argument("--reason", default="", metavar="TEXT", help="why")
    apply = _identified(commands.add("apply", "put an approved change into its file", "apply 3", "changes.apply"))
    apply.add_argument("--unwatched", action="store_true", help="even though no daemon watches (this is recorded)")
    apply.add_argument("--force", action="store_true", help="write over what was edited since; a reviewer signs it")
    apply.add_argument("--reason", default="", metavar="TEXT", help="why to force it")
    _signing(apply)
    _identified(commands.add("verify", "keep a live change, if its window allows it", "verify 3", "changes.verify"))
    revert = _identified(
        commands.add("revert", "take a live or verified change back", 'revert 3 --reason "too curt"', "changes.revert")
    )
    revert.add_argument("--reason", default="", metavar="TEXT", help="why")
    revert.add_argument("--force", action="store_true", help="write over what was edited since; a reviewer signs it")
    _signing(revert)


def _reviewing(commands: _Commands) -> None:
    reviewer = commands.add("reviewer", "the people who may sign, and their keys", "reviewer list")
    below = _Commands(reviewer, "commands")
    below.add("list", "who may sign, and their fingerprint", "reviewer list", "reviewer.list_all")
    add = below.add("add", "a key for one more reviewer; the first is the set-up", "reviewer add ana", "reviewer.add")
    remove = below.add("remove", "take the right to sign from a reviewer", "reviewer remove ben", "reviewer.remove")
    rotate = below.add("rotate", "a new key and passphrase in place of one's own", "reviewer rotate", "reviewer.rotate")
    reset = below.add("reset", "forget all reviewers and begin anew with one", "reviewer reset ana", "reviewer.reset")
    for parser in (add, remove, reset):
        parser.add_argument("name", metavar="NAME", help="what the reviewer is called")
    for parser in (add, remove, rotate):
        _signing(parser)


def _deciding_windows(commands: _Commands) -> None:
    decide = _identified(
        commands.add(
            "decide",
            "decide a live change whose window was inconclusive",
            'decide 3 keep --reason "reads better, and nothing got worse"',
            "measuring.decide",
        )
    )
    decide.add_argument("decision", choices=("keep", "revert"), help="keep it, accepted by you; or take it back")
    decide.add_argument("--reason", required=True, metavar="TEXT", help="why")
    _signing(decide)


def _measuring(commands: _Commands) -> None:
    evaluate = _identified(
        commands.add("evaluate", "run a proposal and its baseline on the scenarios", "evaluate 3", "measuring.evaluate")
    )
    evaluate.add_argument("--queue", action="store_true", help="leave it to the daemon instead of waiting here")
    for word, example in (("good", "good"), ("bad", 'bad 20261120_101500_a1b2c3 --note "wrong dates"')):
        said = commands.add(word, f"say that a session went {word}", example, f"session_feedback.{word}")
        said.add_argument("session_id", nargs="?", metavar="SESSION_ID", help="default: the one that just went on")
        said.add_argument("--target", metavar="PROFILE", help="its profile (default: the active one)")
        said.add_argument("--note", metavar="TEXT", help="why")
    results = _identified(
        commands.add("results", "every single result of an experiment's evaluations", "results 3", "labels.results")
    )
    results.add_argument("--to-label", action="store_true", help="only unlabelled ones, without arm and verdict")
    results.add_argument("--limit", type=int, default=200, metavar="N", help="at most this many (default: 200)")
    label = _identified(commands.add("label", "say whether a result is good enough", "label 12 fail", "labels.label"))
    label.add_argument("verdict", choices=("pass", "fail"), help="what you say of it")
    label.add_argument("--note", default="", metavar="TEXT", help="why")
    scenario = commands.add("scenario", "the scenarios that proposals are measured on", "scenario list")
    below = _Commands(scenario, "commands")
    listing = below.add(
        "list", "the scenarios of a profile, or all", "scenario list --target coder", "scenarios.list_all"
    )
    listing.add_argument("--target", metavar="PROFILE", help="only this profile")
    listing.add_argument("--holdout", action="store_true", help="also name the held-out ones")
    add = below.add(
        "add",
        "add a scenario",
        """scenario add --name greeting --input "Say hello" \\
      --checks '[{"type": "must_contain", "value": "hello"}]'""",
        "scenarios.add",
    )
    add.add_argument("--target", metavar="PROFILE", help="its profile (default: the active one)")
    add.add_argument("--name", required=True, metavar="TEXT", help="a short name, unique in the profile")
    add.add_argument("--input", required=True, metavar="TEXT", help="what the agent is asked ('-': standard input)")
    add.add_argument("--checks", default="[]", metavar="JSON", help="a list of checks that all must pass")
    add.add_argument("--holdout", action="store_true", help="hold it out: never shown, never used for proposals")
    add.add_argument("--critical", action="store_true", help="a proposal that breaks it must not pass")
    _identified(below.add("show", "one scenario with its checks", "scenario show 3", "scenarios.show"))
    _signing(_identified(below.add("delete", "take a scenario out of use", "scenario delete 3", "scenarios.delete")))


def _running(commands: _Commands) -> None:
    for name, help_text in (
        ("pause", "stop everything that changes a profile, except taking back what failed"),
        ("resume", "let changes of a profile go on"),
    ):
        made = commands.add(name, help_text, f"{name} coder", f"operating.{name}")
        made.add_argument("target", nargs="?", metavar="PROFILE", help="default: the active one")
    _signing(made)  # letting changes go on is the one of the two that needs a person
    changes = commands.add(
        "changes", "guarded files that changed without an experiment", "changes --diff", "watching.changes"
    )
    changes.add_argument("target", nargs="?", metavar="PROFILE", help="default: every profile")
    changes.add_argument("--diff", action="store_true", help="with what changed in them")
    agree = commands.add("acknowledge", "agree to such a change", "acknowledge default SOUL.md", "watching.acknowledge")
    agree.add_argument("target", metavar="PROFILE", help="whose file it is")
    agree.add_argument("file", metavar="FILE", help="the file, as changes names it")
    agree.add_argument("--event", type=_identifier, metavar="ID", help="only if nothing came after this event")
    notify = commands.add("notify", "tell the notify targets what waits for them", "notify --test", "watching.notify")
    notify.add_argument("--test", action="store_true", help="send a test message to each instead")
    audit = commands.add("audit", "the audit trail", "audit verify")
    _Commands(audit, "commands").add("verify", "check the whole hash chain", "audit verify", "operating.audit_verify")
    jobs = commands.add(
        "jobs", "evaluations that wait, run or ended, newest first", "jobs --state running", "operating.jobs"
    )
    _state(jobs, JOB_STATES)
    jobs.add_argument("--limit", type=int, default=20, metavar="N", help="at most this many (default: 20)")
    jobs.add_argument("--cancel", type=_identifier, metavar="ID", help="cancel this one instead")
    daemon = commands.add("daemon", "work in the foreground until stopped", "daemon", "operating.daemon")
    daemon.add_argument("--once", action="store_true", help="one round, then end")
    serve = commands.add(
        "serve", "the dashboard's routes and page on a server of their own", "serve --port 9120", "serving.serve"
    )
    serve.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="where to listen (default: 127.0.0.1)")
    serve.add_argument("--port", type=_port, default=9120, metavar="N", help="default: 9120; 0: any that is free")
    serve.add_argument(
        "--name", action="append", default=[], metavar="HOST", help="a name it is reached by (repeatable)"
    )
    serve.add_argument("--certificate", type=Path, metavar="PATH", help="serve TLS with this certificate (PEM)")
    serve.add_argument("--key", type=Path, metavar="PATH", help="the certificate's private key")
    serve.add_argument("--token-file", type=Path, metavar="PATH", help="default: server-token in ~/.config")


def _state(parser: _Parser, states: Sequence[str]) -> None:
    parser.add_argument("--state", choices=states, metavar="STATE", help=f"only these: {', '.join(states)}")


def _signing(parser: _Parser) -> None:
    parser.add_argument("--as", dest="by", metavar="NAME", help="which reviewer signs, when several have a key here")


def _identified(parser: _Parser) -> _Parser:
    parser.add_argument("id", type=_identifier, metavar="ID", help="its number")
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to 65535")
    return int(text)


def _identifier(text: str) -> int:
    """A positive number that a database can hold. Raises ValueError, which argparse reports."""
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= _MAX_ID:
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of anything")
    return int(text)
