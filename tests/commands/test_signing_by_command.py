"""From the first reviewer to a change taken back, typed at a real terminal; what is refused there leaves a trace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.ratchet import events, experiments, lease, states
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context
from karpathy_self_improve.ratchet.states import State
from karpathy_self_improve.reviewing import changes, keys

CODE = "import sys; from karpathy_self_improve.commands import entry; sys.exit(entry.main(sys.argv[1:]))"
PASSPHRASE = "maple orbit cactus violin ladder quartz"
OTHER = "kettle harbor mosaic tundra pebble ribbon"
SOMEBODY = Actor("somebody", "os:somebody")


@pytest.fixture
def soul(home: Path) -> Path:
    path = home / "SOUL.md"
    path.write_text("# Soul\n\nYou help. Be brief.\n", encoding="utf-8")
    return path


@pytest.fixture
def ana(soul: Path, context: Context) -> keys.SigningKey:
    """The first reviewer, with the key file she signs with."""
    _, key = keys.create(context.data / "keys", "ana", PASSPHRASE)
    changes.set_up(context.store, key, "ana", "os:ana")
    lease.acquire(context, "a test's daemon")
    return key


def refusals(context: Context) -> list[str]:
    with context.store.read() as tx:
        found = events.since(tx, 0, 10_000)
    return [event.payload["code"] for event in found if event.kind == "consent.refused"]


def test_a_newcomer_is_led_from_init_to_a_signed_approval(ratchet: Any, soul: Path, typed: Any) -> None:
    assert "hermes ratchet reviewer add NAME" in ratchet("init").out
    assert "reviewer add" in ratchet("status").out
    code, screen = typed("reviewer", "add", "ana", answers=(("generated): ", PASSPHRASE), ("once more: ", PASSPHRASE)))
    assert code == 0, screen
    fingerprint = ratchet("reviewer", "list", "--json").document["fingerprint"]
    assert fingerprint in screen.replace("\r\n", "")
    assert "install-service" in screen
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    code, screen = typed("approve", "1", "--override", "a typo", answers=(("Passphrase of ana: ", PASSPHRASE),))
    assert code == 0, screen
    assert "+You help. Be very brief." in screen  # what is signed is shown first
    assert PASSPHRASE not in screen
    shown = ratchet("show", "1", "--json").document["approval"]
    assert (shown["mode"], shown["actor"]) == ("signed", "ana")
    status = ratchet("status", "--json").document
    assert (status["approval"], status["reviewers"]["names"]) == ("signed", ["ana"])
    assert "signed by ana" in ratchet("status").out
    assert ratchet("init", "--approval", "unsigned").code == 3


def test_without_a_terminal_nothing_is_signed(ratchet: Any, ana: keys.SigningKey, context: Context) -> None:
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    done = subprocess.run(
        [sys.executable, "-P", "-c", CODE, "approve", "1", "--override", "x"], input=f"{PASSPHRASE}\n",
        capture_output=True, text=True, start_new_session=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert refusals(context) == ["passphrase_refused"]
    assert experiments.get(context, 1).state == "proposed"


def test_an_agents_tool_shell_signs_nothing_even_at_a_terminal(
    ratchet: Any, ana: keys.SigningKey, context: Context, monkeypatch: pytest.MonkeyPatch, typed: Any
) -> None:
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    monkeypatch.setenv("HERMES_SESSION_ID", "20261120_102425_8e2e58")
    code, screen = typed("approve", "1", "--override", "trust me")
    assert (code, "Passphrase of" in screen) == (3, False)
    assert ratchet("init", "--approval", "unsigned").code == 3
    assert ratchet("install-service").code == 3
    assert ratchet("uninstall", "--delete-data", "--yes").code == 3
    assert refusals(context)[:2] == ["approval_refused", "approval_refused"]
    assert experiments.get(context, 1).state == "proposed"


def test_a_wrong_passphrase_signs_nothing(ratchet: Any, ana: keys.SigningKey, context: Context, typed: Any) -> None:
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    code, screen = typed("approve", "1", "--override", "x", answers=(("Passphrase of ana: ", OTHER),))
    assert (code, "not the passphrase" in screen) == (3, True)
    assert experiments.get(context, 1).state == "proposed"


def test_a_verified_change_and_an_edited_file_are_taken_back_with_a_signature(
    ratchet: Any, ana: keys.SigningKey, context: Context, soul: Path, typed: Any
) -> None:
    answers = (("Passphrase of ana: ", PASSPHRASE),)
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    typed("approve", "1", "--override", "x", answers=answers)
    assert ratchet("apply", "1").code == 0
    with context.store.write() as tx:
        states.move(tx, 1, State.VERIFIED, SOMEBODY, "a test")
    soul.write_text("Mine.\n", encoding="utf-8")
    code, screen = typed("revert", "1", "--force", "--reason", "too curt", "--as", "ana", answers=answers)
    assert code == 0, screen
    assert soul.read_text(encoding="utf-8") == "# Soul\n\nYou help. Be brief.\n"
    assert experiments.transitions(context, 1)[-1].actor == "ana"


def test_what_was_taken_back_already_asks_for_nothing_more(
    ratchet: Any, ana: keys.SigningKey, context: Context, soul: Path, typed: Any
) -> None:
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    _, screen = typed("approve", "1", "--override", "x", answers=(("Passphrase of ana: ", PASSPHRASE),))
    assert "WARNING: its live window tests nothing" in " ".join(screen.split())
    ratchet("apply", "1")
    assert ratchet("revert", "1").code == 0
    code, screen = typed("revert", "1", "--force")
    assert (code, "Passphrase of" in screen) == (0, False)
    assert "already taken back on" in screen


def test_what_is_signed_for_a_reason_needs_one(
    ratchet: Any, ana: keys.SigningKey, context: Context, typed: Any
) -> None:
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    typed("approve", "1", "--override", "x", answers=(("Passphrase of ana: ", PASSPHRASE),))
    ratchet("apply", "1")
    with context.store.write() as tx:
        states.move(tx, 1, State.VERIFIED, SOMEBODY, "a test")
    code, screen = typed("revert", "1")
    assert (code, "Passphrase of" in screen, "--reason" in screen) == (2, False, True)


def test_an_end_of_input_is_not_called_a_missing_terminal(ratchet: Any, ana: keys.SigningKey, typed: Any) -> None:
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    code, screen = typed("approve", "1", "--override", "x", answers=(("Passphrase of ana: ", "\x04"),))
    assert (code, "No passphrase was typed" in screen) == (2, True)


def test_a_generated_passphrase_that_is_mistyped_is_asked_for_again(ratchet: Any, soul: Path, typed: Any) -> None:
    answers = (("generated): ", ""), ("Type it now: ", "x"), ("Type it now: ", "y"), ("Type it now: ", "z"))
    code, screen = typed("reviewer", "add", "ana", answers=answers)
    assert (code, screen.count("That was another one")) == (2, 3)


def test_a_passphrase_holds_no_control_character(ratchet: Any, soul: Path, typed: Any) -> None:
    code, screen = typed("reviewer", "add", "ana", answers=(("generated): ", f"{PASSPHRASE}\x1b[D"),))
    assert (code, "control character" in screen) == (2, True)


def test_resuming_is_signed_and_pausing_is_not(ratchet: Any, ana: keys.SigningKey, typed: Any) -> None:
    assert ratchet("pause").code == 0
    code, screen = typed("resume", answers=(("Passphrase of ana: ", PASSPHRASE),))
    assert code == 0, screen
    assert ratchet("status", "--json").document["profiles"][0]["paused"] is False


def test_the_service_pins_the_reviewers_and_another_set_shows_everywhere(
    ratchet: Any, ana: keys.SigningKey, context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "systemctl").symlink_to("/bin/true")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert "NOT pinned" in ratchet("status").out
    done = ratchet("install-service", "--json")
    assert done.code == 0, done.out
    status = ratchet("status", "--json").document["reviewers"]
    assert done.document["pinned"] == status["pinned"] == status["fingerprint"]
    assert 'Environment="RATCHET_REVIEWERS=' in Path(done.document["path"]).read_text(encoding="utf-8")
    _, key = keys.create(context.data / "keys", "eve", OTHER)
    changes.reset(context.store, key, "eve", "os:eve")
    assert "not those that were pinned" in ratchet("status", "--json").document["reviewers"]["trouble"]
    assert "NOTHING IS APPROVED OR APPLIED" in ratchet("status").out
    found = {one["code"]: one["severity"] for one in ratchet("doctor", "--json").document["findings"]}
    assert found["reviewers_changed"] == "problem"
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    assert ratchet("approve", "1", "--override", "x", "--json").document["code"] == "reviewers_changed"
    again = ratchet("install-service", "--json").document
    assert "systemctl --user restart hermes-ratchet.service" in again["commands"]
    assert ratchet("status", "--json").document["reviewers"]["trouble"] is None


def test_the_doctor_names_a_setting_that_counts_no_more(ratchet: Any, ana: keys.SigningKey, home: Path) -> None:
    text = "plugins: {entries: {karpathy-self-improve: {approval: unsigned}}}\n"
    (home / "config.yaml").write_text(text, encoding="utf-8")
    codes = {one["code"] for one in ratchet("doctor", "--json").document["findings"]}
    assert {"approval_setting", "reviewers"} <= codes
    assert "counts no more" in ratchet("status").out
