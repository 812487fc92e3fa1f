"""Reviewers are set up by a person at a terminal: passphrases are typed, shown once, and written nowhere."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
import termios
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve import clock
from karpathy_self_improve.commands import reviewer, signing
from karpathy_self_improve.commands.exits import Exit
from karpathy_self_improve.errors import ApprovalRefused, BadInput
from karpathy_self_improve.ratchet.actor import terminal_actor
from karpathy_self_improve.reviewing import keys
from karpathy_self_improve.reviewing.payload import Claim, Purpose
from karpathy_self_improve.reviewing.refusals import (
    KeyUnusable,
    ReviewersTampered,
    SignatureRefused,
    TooManyAttempts,
    WrongPassphrase,
)

STRONG = "maple orbit cactus violin ladder quartz"
OTHER = "kettle harbor mosaic tundra pebble ribbon"
CHILD = """
import sys, json
from argparse import Namespace
from karpathy_self_improve.commands import output, reviewer
from karpathy_self_improve.errors import RatchetError
for line in sys.argv[1:]:
    name, options = json.loads(line)
    try:
        answer = getattr(reviewer, name)(Namespace(**options))
    except RatchetError as error:
        print("REFUSED", error.code, flush=True)
    else:
        with open(sys.argv[0] + ".json", "a") as record:
            record.write(json.dumps(answer.document) + "\\n")
        output.write(answer, False)
    print("DONE", name, flush=True)
"""
PATIENCE_S = 60.0


class Terminal:
    """A child process with a real terminal of its own, and a person who answers what it asks."""

    def __init__(self, script: Path, steps: list[tuple[str, dict[str, Any]]]) -> None:
        self.mine, theirs = os.openpty()
        self.seen = ""
        self._child = subprocess.Popen(
            [sys.executable, "-P", str(script), *(json.dumps(step) for step in steps)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)

    def until(self, wanted: str) -> str:
        """What was shown since the last call, up to ``wanted``."""
        deadline = time.monotonic() + PATIENCE_S
        while wanted not in self.seen:
            assert time.monotonic() < deadline, self.seen
            try:
                part = os.read(self.mine, 65_536)
            except OSError:  # the child is gone
                part = b""
            assert part, self.seen
            self.seen += part.decode()
        shown, _, self.seen = self.seen.partition(wanted)
        return shown

    def answer(self, question: str, text: str) -> str:
        """Type ``text`` when ``question`` is asked. Returns what was shown before."""
        shown = self.until(question)
        os.write(self.mine, f"{text}\n".encode())
        return shown

    def close(self) -> None:
        self._child.kill()
        self._child.wait()
        os.close(self.mine)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "child.py"
    path.write_text(CHILD)
    return path


@pytest.fixture
def terminal(script: Path, desk: Any) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def make(*steps: tuple[str, dict[str, Any]]) -> Terminal:
        opened.append(Terminal(script, list(steps)))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def files(desk: Any) -> list[str]:
    return sorted(path.name.partition("-")[0] for path in (desk.context.data / "keys").glob("*.key"))


def everything_under(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_from_the_first_reviewer_to_a_reset(desk: Any, script: Path, terminal: Callable[..., Terminal]) -> None:
    session = terminal(
        ("add", {"name": "alice", "by": None}),
        ("add", {"name": "bob", "by": None}),
        ("rotate", {"by": "alice"}),
        ("remove", {"name": "bob", "by": "alice"}),
        ("remove", {"name": "alice", "by": None}),
        ("reset", {"name": "carol"}),
    )
    session.answer("generated): ", "")
    shown = session.until("Write it down")
    (generated,) = re.findall(r"^ {4}([a-z ]+)\r?$", shown, re.MULTILINE)
    assert len(generated.split()) == 6
    session.answer("Type it now: ", generated)
    assert generated not in session.until("DONE add")  # neither echoed nor shown again
    session.answer("Passphrase of alice: ", generated)
    session.answer("generated): ", STRONG)
    session.answer("once more: ", STRONG)
    session.until("DONE add")
    assert files(desk) == ["alice", "bob"]
    session.answer("Passphrase of alice: ", generated)
    session.answer("generated): ", OTHER)
    session.answer("once more: ", OTHER)
    session.until("DONE rotate")
    session.answer("Passphrase of alice: ", OTHER)
    session.until("DONE remove")
    assert files(desk) == ["alice"]
    session.answer("Passphrase of alice: ", OTHER)
    assert "REFUSED signature_refused" in session.until("DONE remove")
    session.answer("type reset: ", "reset")
    session.answer("generated): ", STRONG)
    session.answer("once more: ", STRONG)
    session.until("DONE reset")
    assert [one.name for one in desk.reviewers().members] == ["carol"]
    written = everything_under(desk.context.data) + script.with_name("child.py.json").read_bytes()
    for passphrase in (generated, STRONG, OTHER):
        assert passphrase.encode() not in written
    last = json.loads(script.with_name("child.py.json").read_text().splitlines()[-1])
    assert last["fingerprint"] == desk.reviewers().fingerprint


def test_what_is_not_carried_through_leaves_no_key(desk: Any, terminal: Callable[..., Terminal]) -> None:
    session = terminal(
        ("add", {"name": "alice", "by": None}), ("add", {"name": "alice", "by": None}), ("reset", {"name": "alice"})
    )
    session.answer("generated): ", "secret")
    assert "REFUSED passphrase_refused" in session.until("DONE add")
    session.answer("generated): ", STRONG)
    session.answer("once more: ", OTHER)
    assert "REFUSED passphrase_refused" in session.until("DONE add")
    session.answer("type reset: ", "yes")
    assert "REFUSED bad_input" in session.until("DONE reset")
    assert files(desk) == []
    assert desk.reviewers().members == ()


def test_a_key_whose_change_was_refused_is_not_kept(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    typing(monkeypatch, STRONG, STRONG)
    failed_often(desk)
    with pytest.raises(TooManyAttempts):
        asked("add")
    assert files(desk) == []


def asked(command: str, /, **options: Any) -> Any:
    return getattr(reviewer, command)(Namespace(**{"name": "alice", "by": None, **options}))


@pytest.mark.parametrize("command", ["add", "remove", "rotate", "reset"])
def test_no_key_is_opened_in_a_shell_that_an_agent_opened(
    desk: Any, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("HERMES_SESSION_ID", "1")
    with pytest.raises(ApprovalRefused):
        asked(command)


@pytest.mark.parametrize("given", ["standard input", "a variable"])
def test_a_passphrase_is_taken_from_a_terminal_only(desk: Any, script: Path, given: str) -> None:
    step = json.dumps(("add", {"name": "alice", "by": None}))
    done = subprocess.run(
        [sys.executable, "-P", str(script), step],
        input=f"{STRONG}\n{STRONG}\n" if given == "standard input" else "",
        env={**os.environ, "PASSPHRASE": STRONG, "RATCHET_PASSPHRASE": STRONG},
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    assert "REFUSED passphrase_refused" in done.stdout
    assert desk.reviewers().members == ()


def typing(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    """What the person types, one after the other."""
    left = iter(answers)
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(left))


@pytest.fixture
def alice(desk: Any) -> keys.SigningKey:
    """The first reviewer, whose key has the cost that production writes and asks for."""
    _, key = keys.create(desk.context.data / "keys", "alice", STRONG)
    reviewer.changes.set_up(desk.store, key, "alice", "os:x")
    return key


def test_a_challenge_is_signed_with_the_key_that_is_here(
    desk: Any, alice: keys.SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    typing(monkeypatch, STRONG)
    claim = Claim(purpose=Purpose.RESUME, profile="default")
    signed = signing.sign(
        desk.context,
        desk.reviewers(),
        None,
        "os:x",
        lambda public_key: desk.asked(claim, alice if public_key == alice.public_key else None),
    )
    assert desk.redeem(signed, claim).payload.signer == alice.public_key


def failed_often(desk: Any) -> None:
    row = "INSERT INTO signature_attempts (principal, purpose, started_at) VALUES (?, 'unlock', ?)"
    desk.stranger().executemany(row, [(terminal_actor().principal, clock.stamp())] * 12)


def test_guessing_a_passphrase_leaves_a_trace_and_has_to_wait(
    desk: Any, alice: keys.SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    typing(monkeypatch, OTHER, STRONG)
    with pytest.raises(WrongPassphrase):
        asked("rotate")
    (event,) = desk.events("signature.refused")
    assert event.payload["purpose"] == "unlock"
    another = (
        "INSERT INTO signature_attempts (principal, purpose, started_at, outcome) VALUES (?, 'unlock', ?, 'refused')"
    )
    desk.stranger().executemany(another, [(event.payload["principal"], clock.stamp())] * 12)
    with pytest.raises(TooManyAttempts):
        asked("rotate")
    assert desk.reviewers().members[0].public_key == alice.public_key


def test_who_has_no_key_here_is_told_so(desk: Any) -> None:
    desk.set_up()
    (path,) = (desk.context.data / "keys").glob("*.key")
    path.chmod(0o644)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        asked("rotate")
    path.unlink()
    with pytest.raises(KeyUnusable, match="no key of a reviewer"):
        asked("rotate")


def test_of_several_keys_one_has_to_be_named(desk: Any) -> None:
    desk.added(desk.set_up(), "bob")
    with pytest.raises(BadInput, match="--as"):
        asked("rotate")


def test_the_list_says_who_can_sign_and_whether_that_is_pinned(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = asked("list_all")
    assert (empty.document["reviewers"], empty.code) == ([], Exit.OK)
    desk.set_up()
    unpinned = asked("list_all")
    assert (unpinned.document["pinned"], unpinned.document["trouble"], unpinned.code) == (None, None, Exit.OK)
    monkeypatch.setenv("RATCHET_REVIEWERS", unpinned.document["fingerprint"])
    assert asked("list_all").code == Exit.OK
    monkeypatch.setenv("RATCHET_REVIEWERS", "ab" * 32)
    changed = asked("list_all")
    assert "not those that were pinned" in changed.document["trouble"]
    assert changed.code == Exit.FAILED


def test_a_tampered_log_shows_and_stops_every_change_but_a_reset(desk: Any) -> None:
    desk.set_up()
    desk.forge(("UPDATE reviewer_changes SET signature = 'x'", {}))
    assert "row 1" in asked("list_all").document["trouble"]
    for command in ("add", "remove", "rotate"):
        with pytest.raises(ReviewersTampered):
            asked(command)


def test_nothing_is_changed_by_a_name_that_is_none(desk: Any) -> None:
    desk.set_up()
    with pytest.raises(BadInput, match="no reviewer 'eve'"):
        asked("remove", name="eve")
    with pytest.raises(BadInput, match="already"):
        asked("add")


def test_the_key_of_somebody_who_is_no_reviewer_signs_nothing(
    desk: Any, alice: keys.SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, mallory = keys.create(desk.context.data / "keys", "mallory", OTHER)
    with pytest.raises(KeyUnusable, match="no key of the reviewer 'mallory'"):
        asked("rotate", by="mallory")
    with pytest.raises(SignatureRefused):
        desk.asked(Claim(purpose=Purpose.RESUME, profile="default"), mallory)
