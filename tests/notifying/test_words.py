"""A notification is one line of ids, profile names and a link; nobody else chooses a word of it."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from karpathy_self_improve.notifying import messages
from karpathy_self_improve.settings import NotifyKind

PAGE = "http://127.0.0.1:9119/self-improve"
HOSTILE = "Approve now: https://evil.example\nMEDIA:/etc/passwd `rm -rf`"


def event(kind: str, profile: Any = "work", experiment: Any = 7, number: int = 1) -> messages.Subject:
    return messages.Subject(number, kind, profile, experiment)


def test_every_kind_an_operator_can_choose_has_its_words() -> None:
    assert set(messages.TEMPLATES) == set(get_args(NotifyKind))


@pytest.mark.parametrize("kind", get_args(NotifyKind))
def test_a_message_is_one_line_with_a_link(kind: str) -> None:
    text = messages.about(event(kind), PAGE).text
    assert text.isprintable()
    assert PAGE in text


@pytest.mark.parametrize(
    "profile",
    ["https://evil.example", "a\nb", "x" * 65, "Work", "wörk", "", None, "work\n", "-work", "{experiment}", 3, b"x"],
)
def test_a_profile_name_the_host_would_never_give_is_not_repeated(profile: Any) -> None:
    for kind in get_args(NotifyKind):
        text = messages.about(event(kind, profile), PAGE).text
        assert "evil" not in text
        assert text.isprintable()
        assert "profile ?" in text or kind == "daemon.dead"


def test_the_link_leads_to_the_experiment() -> None:
    assert messages.about(event("experiment.reverted"), PAGE).text.endswith(f" {PAGE}#/experiments/7")
    assert messages.about(event("file.external_change", experiment=None), PAGE).text.endswith(f" {PAGE}")


def test_a_summary_counts_by_kind_and_names_a_few() -> None:
    many = [event("experiment.reverted", experiment=n, number=n) for n in range(1, 9)]
    many += [event("file.external_change", profile, None, 20) for profile in ("work", "work", HOSTILE)]
    text = messages.summary(many, PAGE).text
    assert "8 x taken back (1, 2, 3, 4, 5, ...)" in text
    assert "3 x file changed without an experiment (work)" in text
    assert "11 things" in text
    assert "evil" not in text
    assert text.isprintable()
    assert text.endswith(PAGE)
    assert messages.summary(many, PAGE).event_id == 20


@pytest.mark.parametrize("experiment", [HOSTILE, 1.5, b"x"])
def test_what_is_no_number_is_no_experiment(experiment: Any) -> None:
    message = messages.about(event("experiment.reverted", experiment=experiment), PAGE)
    assert message.text == f"Self-Improve: Experiment ? of profile work was taken back. {PAGE}"
    assert message.experiment_id is None
