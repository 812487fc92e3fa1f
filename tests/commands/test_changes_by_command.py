"""A change from proposal to revert by typed commands, and every way of asking wrongly: nothing moves then."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.ratchet import experiments
from karpathy_self_improve.ratchet.context import Context

BETTER = "# Soul\n\nYou help. Be very brief.\n\n- Say hello.\n"
DIFF = "@@ -3,1 +3,1 @@\n-You help. Be brief.\n+You help. Be very brief.\n"


def fingerprint(home: Path) -> dict[str, str]:
    """Every file of both profiles but our own data, which only services write."""
    files = [file for file in home.rglob("*") if file.is_file() and not file.is_relative_to(home / "ratchet")]
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.name != "active_profile"}


@pytest.fixture
def proposed(ratchet: Any, unsigned: Path) -> int:
    """A proposal for the default profile."""
    done = ratchet("new", "--replace", "Be brief.", "Be very brief.", "--why", "answers ran long", "--json")
    assert done.code == 0
    return int(done.document["experiment_id"])


@pytest.mark.parametrize("way", ["file", "stdin", "diff", "diff from stdin", "replace"])
def test_every_way_to_say_the_same_change_gives_the_same_candidate(
    ratchet: Any, unsigned: Path, context: Context, tmp_path: Path, way: str
) -> None:
    whole, diff = tmp_path / "new.md", tmp_path / "a.diff"
    whole.write_text(BETTER, encoding="utf-8")
    diff.write_text(DIFF, encoding="utf-8")
    words, stdin = {
        "file": (("--from", str(whole)), ""),
        "stdin": (("--content", "-"), BETTER),
        "diff": (("--diff", str(diff)), ""),
        "diff from stdin": (("--diff", "-"), DIFF),
        "replace": (("--replace", "Be brief.", "Be very brief."), ""),
    }[way]
    done = ratchet("new", "--target", "coder", *words, "--json", stdin=stdin)
    assert done.code == 0, done.out
    made = experiments.get(context, done.document["experiment_id"])
    assert (made.profile, experiments.contents(context, made)[1]) == ("coder", BETTER.encode())


def test_a_list_item_can_be_replaced_though_it_begins_with_a_dash(ratchet: Any, unsigned: Path) -> None:
    assert ratchet("new", "--replace", "- Say hello.", "- Say good day.").code == 0


REFUSED = {
    "no such content file": (("--content", "/nowhere/at/all"), 2),
    "content is a folder": (("--content", "/"), 2),
    "a path with NUL": (("--content", "a\0b"), 2),
    "traversal": (("--file", "../../etc/passwd", "--replace", "a", "b"), 2),
    "absolute path": (("--file", "/etc/passwd", "--replace", "a", "b"), 2),
    "secrets": (("--file", ".env", "--replace", "a", "b"), 2),
    "not on the list": (("--file", "notes.txt", "--replace", "a", "b"), 2),
    "unknown profile": (("--target", "nobody", "--replace", "a", "b"), 2),
    "old text not there": (("--replace", "not there", "b"), 3),
    "old text there twice": (("--replace", "e", "b"), 3),
    "nothing to replace": (("--replace", "", "b"), 3),
    "nothing changes": (("--replace", "Be brief.", "Be brief."), 3),
    "two places": (("--content", "-"), 3),
    "not a diff": (("--diff", "-"), 3),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_refused_proposal_says_why_and_changes_nothing(
    ratchet: Any, unsigned: Path, context: Context, what: str
) -> None:
    words, code = REFUSED[what]
    before = fingerprint(unsigned)
    stdin = "# Soul\n\nYou hinder. Be brief.\n\n- Say goodbye.\n"
    done = ratchet("new", *words, stdin=stdin)
    assert (done.code, done.out) == (code, "")
    assert done.err.strip().endswith((".", ")"))
    assert ratchet("new", *words, "--json", stdin=stdin).document.keys() >= {"error", "code"}
    assert experiments.list_experiments(context) == []
    assert fingerprint(unsigned) == before


def test_more_than_any_prompt_file_is_not_even_read(ratchet: Any, unsigned: Path) -> None:
    done = ratchet("new", "--content", "/dev/zero")
    assert done.code == 2
    assert "MiB" in done.err


@pytest.mark.parametrize(
    "command",
    ["show", "diff", "history", "live", "approve", "reject", "apply", "verify", "revert", "evaluate"],
)
def test_an_unknown_experiment_is_exit_2_with_its_number(ratchet: Any, unsigned: Path, command: str) -> None:
    done = ratchet(command, "77", "--json")
    assert done.code == 2
    assert done.document == {
        "error": "There is no experiment 77. All there are: hermes ratchet list",
        "code": "unknown_experiment",
        "experiment_id": 77,
    }


def test_a_change_goes_live_and_comes_back_to_the_exact_bytes(ratchet: Any, watched: None, proposed: int) -> None:
    soul = Path(os.environ["HERMES_HOME"]) / "SOUL.md"
    before, number = soul.read_bytes(), str(proposed)
    assert ratchet("approve", number, "--override", "a typo").code == 0
    applied = ratchet("apply", number, "--json").document
    assert applied["state"] == "live"
    assert soul.read_text(encoding="utf-8") == BETTER
    assert ratchet("apply", number, "--json").document == applied
    reverted = ratchet("revert", number, "--reason", "too curt", "--json").document
    assert reverted["state"] == "reverted"
    assert soul.read_bytes() == before
    assert ratchet("revert", number, "--json").document == reverted
    steps = ratchet("history", number, "--json").document["transitions"]
    assert [step["to_state"] for step in steps] == ["proposed", "approved", "live", "reverted"]
    assert steps[-1]["reason"] == "too curt"
    assert all(step["principal"].startswith("os:") for step in steps)


def test_without_a_measurement_or_a_reason_nothing_is_approved(ratchet: Any, proposed: int) -> None:
    for words in ((), ("--override", "  ")):
        done = ratchet("approve", str(proposed), *words)
        assert done.code == 3
        assert "--override" in done.err
    assert ratchet("show", str(proposed), "--json").document["experiment"]["state"] == "proposed"


def test_where_approvals_must_be_signed_nobody_approves(ratchet: Any, home: Path) -> None:
    ratchet("new", "--replace", "briefly", "very briefly")
    done = ratchet("approve", "1", "--override", "trust me")
    assert done.code == 3
    assert "hermes ratchet reviewer add" in done.err


def test_an_agents_tool_shell_cannot_approve(ratchet: Any, proposed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERMES_SESSION_ID", "20261120_102425_8e2e58")
    done = ratchet("approve", str(proposed), "--override", "trust me", "--json")
    assert (done.code, done.document["code"]) == (3, "approval_refused")


def test_nothing_is_applied_while_nobody_watches_unless_that_is_said(ratchet: Any, proposed: int) -> None:
    approved = ratchet("approve", str(proposed), "--override", "a typo")
    assert "No daemon is running" in approved.out
    assert ratchet("apply", str(proposed), "--json").document["code"] == "nobody_watching"
    assert ratchet("apply", str(proposed), "--unwatched").code == 0
    assert "--unwatched" in ratchet("history", str(proposed)).out


def test_verify_wants_evidence(ratchet: Any, watched: None, proposed: int) -> None:
    ratchet("approve", str(proposed), "--override", "a typo")
    ratchet("apply", str(proposed))
    done = ratchet("verify", str(proposed), "--json")
    assert (done.code, done.document["code"]) == (3, "no_evidence")


def test_a_second_decision_loses_with_a_sentence(ratchet: Any, proposed: int) -> None:
    assert ratchet("reject", str(proposed), "--reason", "vague").code == 0
    again = ratchet("reject", str(proposed))
    assert again.code == 3
    assert "cannot become rejected" in again.err


def test_the_list_is_filtered_and_paged(ratchet: Any, unsigned: Path, proposed: int) -> None:
    ratchet("new", "--target", "coder", "--replace", "hello", "good day")
    ratchet("reject", str(proposed))

    def numbers(*words: str) -> list[int]:
        return [row["id"] for row in ratchet("list", *words, "--json").document["experiments"]]

    assert numbers() == [2, 1]
    assert numbers("--target", "coder") == [2]
    assert numbers("--state", "rejected") == [1]
    assert numbers("--target", "coder", "--state", "rejected") == []
    page = ratchet("list", "--limit", "1", "--json").document
    assert (page["experiments"][0]["id"], page["next_before"]) == (2, 2)
    assert numbers("--before", "2") == [1]
    assert ratchet("list", "--target", "nobody").code == 2


def test_a_diff_is_printed_as_it_is(ratchet: Any, proposed: int) -> None:
    shown = ratchet("diff", str(proposed)).out
    assert "-You help. Be brief.\n+You help. Be very brief.\n" in shown
    assert ratchet("diff", str(proposed), "--json").document["diff"] == shown
