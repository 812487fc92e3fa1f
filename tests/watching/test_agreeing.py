"""A change waits in the status line until a person agrees to it or it is undone; the agent cannot agree."""

from __future__ import annotations

from typing import Any

import pytest

from karpathy_self_improve.errors import Conflict, Forbidden, NotFound, UnknownProfile
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.watching import waiting

SOUL = "# Soul\n\nBe brief. Be kind.\n"


def test_agreeing_clears_the_line_and_is_recorded(watch: Any) -> None:
    watch.write("SOUL.md", "edited")
    (change,) = watch.look()
    watch.acknowledge("SOUL.md")
    assert watch.waiting() == []
    (agreed,) = watch.events("file.acknowledged")
    assert (agreed.payload["event_id"], agreed.payload["actor"]) == (change.event_id, "somebody")
    assert watch.look() == []


def test_the_next_change_after_agreeing_waits_again(watch: Any) -> None:
    watch.write("SOUL.md", "edited")
    watch.look()
    watch.acknowledge("SOUL.md")
    watch.write("SOUL.md", "edited again")
    watch.look()
    (change,) = watch.waiting()
    assert waiting.diff(watch.context, change) is not None


def test_several_changes_wait_as_one_with_the_whole_difference(watch: Any) -> None:
    for text in ("first", "second"):
        watch.write("SOUL.md", text)
        watch.later()
        watch.look()
    (change,) = watch.waiting()
    shown = waiting.diff(watch.context, change)
    assert shown is not None
    assert "-Be brief. Be kind." in shown
    assert "first" not in shown


def test_an_undone_change_waits_no_longer(watch: Any) -> None:
    watch.write("SOUL.md", "edited")
    watch.look()
    watch.later()
    watch.write("SOUL.md", SOUL)
    watch.look()
    assert watch.waiting() == []


def test_a_file_created_and_deleted_again_is_forgotten(watch: Any) -> None:
    path = watch.write("skills/brief/SKILL.md", "x")
    watch.look()
    watch.later()
    path.unlink()
    watch.look()
    assert watch.waiting() == []
    with watch.context.store.read() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM guarded_files").scalar_one() == 3


def test_agreeing_to_a_deletion_lets_a_later_file_be_new(watch: Any) -> None:
    (watch.home / "SOUL.md").unlink()
    watch.look()
    assert watch.acknowledge("SOUL.md").what == "deleted"
    watch.write("SOUL.md", SOUL)
    assert [change.what for change in watch.look()] == ["created"]


def test_agreeing_is_refused_when_the_file_changed_meanwhile(watch: Any) -> None:
    watch.write("SOUL.md", "what the person saw")
    (seen,) = watch.look()
    watch.later()
    watch.write("SOUL.md", "what came after")
    watch.look()
    with pytest.raises(Conflict):
        watch.acknowledge("SOUL.md", event_id=seen.event_id)
    assert len(watch.waiting()) == 1


def test_the_agents_shell_cannot_agree(watch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    watch.write("SOUL.md", "edited")
    watch.look()
    monkeypatch.setenv("HERMES_SESSION_ID", "20261120_120000_abcdef")
    with pytest.raises(Forbidden):
        watch.acknowledge("SOUL.md")
    assert len(watch.waiting()) == 1


@pytest.mark.parametrize("relpath", ["SOUL.md", "nothing.md", "../../etc/passwd", "a\\u00", "", "x" * 10_000])
def test_there_is_nothing_to_agree_to(watch: Any, relpath: str) -> None:
    with pytest.raises(NotFound):
        watch.acknowledge(relpath)


def test_an_unknown_profile_is_refused(watch: Any) -> None:
    with pytest.raises(UnknownProfile):
        waiting.acknowledge(watch.context, "nobody", "SOUL.md", Actor("x", "os:x"))
    with pytest.raises(UnknownProfile):
        waiting.unacknowledged(watch.context, "nobody")


def test_an_applied_experiment_on_top_does_not_stand_for_agreement(watch: Any) -> None:
    watch.write("SOUL.md", SOUL.replace("brief", "short"))
    watch.look()
    watch.apply(watch.approved("kind", "very kind"))
    watch.look()
    assert [change.relpath for change in watch.waiting()] == ["SOUL.md"]
