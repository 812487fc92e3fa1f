"""The words that set the plugin up and keep it running: first steps, daemon, jobs, who is told, the server."""

from __future__ import annotations

from pathlib import Path

from . import values
from .grammar import Commands


def add_first_steps(commands: Commands) -> None:
    commands.group("begin here")
    init = commands.add(
        "init",
        "set the plugin up; repeat it at will",
        "init",
        "init --approval unsigned --yes",
        handler="setting_up.init",
    )
    init.add_argument(
        "--target",
        type=values.line,
        action="append",
        default=[],
        metavar="PROFILE",
        help="only this profile (repeatable)",
    )
    init.add_argument(
        "--approval",
        choices=("signed", "unsigned"),
        help="who may approve: 'signed' (default) is whoever holds a reviewer's key, 'unsigned' whoever runs a command",
    )
    init.add_argument("--yes", action="store_true", help="ask nothing")
    demo = commands.add(
        "demo",
        "the whole loop in a throw-away home, scripted model",
        "demo",
        "demo --headless --json",
        handler="setting_up.demo",
        exits=("1  it did not get to its end",),
    )
    demo.add_argument("--headless", action="store_true", help="decide by itself instead of opening the dashboard")
    demo.add_argument("--keep", action="store_true", help="keep the throw-away home")
    commands.add(
        "doctor",
        "name everything that is wrong or waits, with its fix",
        "doctor",
        handler="setting_up.doctor",
        exits=("0  no problem, though something may wait for you", "1  at least one problem"),
    )


def add(commands: Commands) -> None:
    commands.group("keep it running")
    _daemon(commands)
    _jobs(commands)
    _pausing(commands)
    notify = commands.add(
        "notify",
        "tell the notify targets what waits for them",
        "notify --test",
        handler="watching.notify",
        exits=("1  a target could not be told",),
    )
    notify.add_argument("--test", action="store_true", help="send a test message to each instead")
    _serve(commands)
    _uninstall(commands)


def _daemon(commands: Commands) -> None:
    daemon = commands.add(
        "daemon", "work in the foreground until stopped", "daemon", "daemon --once", handler="operating.daemon"
    )
    daemon.add_argument("--once", action="store_true", help="one round, then end")
    commands.add(
        "install-service",
        "write a systemd user unit for the daemon, pin reviewers",
        "install-service",
        handler="setting_up.service",
        exits=("3  refused: in a shell that an agent opened",),
    )


def _jobs(commands: Commands) -> None:
    jobs = commands.add(
        "jobs",
        "evaluations that wait, run or ended, newest first",
        "jobs --state running",
        "jobs --watch",
        "jobs --cancel 7",
        handler="operating.jobs",
    )
    values.in_state(jobs, values.JOB_STATES)
    values.limited(jobs, 20)
    instead = jobs.add_mutually_exclusive_group()
    instead.add_argument("--cancel", type=values.identifier, metavar="ID", help="cancel this one instead")
    values.watched(instead)


def _pausing(commands: Commands) -> None:
    for name, purpose in (
        ("pause", "stop changes of a profile; a failed one is still undone"),
        ("resume", "let changes of a profile go on"),
    ):
        made = commands.add(name, purpose, f"{name} coder", handler=f"operating.{name}")
        made.add_argument("target", type=values.line, nargs="?", metavar="PROFILE", help="default: the active one")
        if name == "pause":
            made.add_argument("--reason", type=values.line, metavar="TEXT", help="shown wherever the pause shows")
    values.signing(made)  # letting changes go on is the one of the two that needs a person


def _serve(commands: Commands) -> None:
    serve = commands.add(
        "serve",
        "the dashboard's routes and page on a server of their own",
        "serve --port 9120",
        "serve --host 192.0.2.7 --certificate c.pem --key k.pem",
        handler="serving.serve",
        exits=("1  the port is taken", "2  wrong address, or others could reach it without TLS"),
    )
    serve.add_argument(
        "--host", type=values.line, default="127.0.0.1", metavar="ADDRESS", help="where to listen (default: 127.0.0.1)"
    )
    serve.add_argument("--port", type=values.port, default=9120, metavar="N", help="default: 9120; 0: any that is free")
    serve.add_argument(
        "--name",
        type=values.line,
        action="append",
        default=[],
        metavar="HOST",
        help="a name it is reached by (repeatable)",
    )
    serve.add_argument("--certificate", type=Path, metavar="PATH", help="serve TLS with this certificate (PEM)")
    serve.add_argument("--key", type=Path, metavar="PATH", help="the certificate's private key")
    serve.add_argument("--token-file", type=Path, metavar="PATH", help="default: server-token in ~/.config")


def _uninstall(commands: Commands) -> None:
    remove = commands.add(
        "uninstall",
        "take the plugin off this machine; profiles stay",
        "uninstall",
        "uninstall --delete-data --yes",
        handler="setting_up.uninstall",
        exits=("3  refused: a change is approved or live",),
    )
    remove.add_argument(
        "--delete-data", action="store_true", help="also delete the database, its history, our settings"
    )
    remove.add_argument("--leave-live", action="store_true", help="even while a change is approved or live")
    remove.add_argument("--yes", action="store_true", help="ask nothing")
