"""What an experiment does to a file is not reported, and nothing else hides behind it."""

from __future__ import annotations

from typing import Any

import pytest

from karpathy_self_improve.errors import DiskFailed, RatchetError
from karpathy_self_improve.ratchet import apply, blobs, faults, operation
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.schema import file_operations
from karpathy_self_improve.watching import guarded, sightings

SOMEBODY = Actor("somebody", "os:somebody")
SOUL = "# Soul\n\nBe brief. Be kind.\n"


def revert(watch: Any, number: int) -> None:
    apply.revert(watch.context, number, SOMEBODY, "taken back")


def test_apply_and_revert_are_not_reported(watch: Any) -> None:
    number = watch.approved("kind", "very kind")
    watch.apply(number)
    assert watch.look() == []
    revert(watch, number)
    assert watch.look() == []
    assert watch.waiting() == []


def test_both_between_two_looks_are_not_reported(watch: Any) -> None:
    number = watch.approved("kind", "very kind")
    watch.apply(number)
    revert(watch, number)
    assert watch.look() == []


def test_a_file_that_an_experiment_creates_is_not_reported(watch: Any) -> None:
    number = watch.proposed_new("skills/fresh/SKILL.md", b"# Fresh\n")
    watch.apply(number)
    assert watch.look() == []
    revert(watch, number)
    assert watch.look() == []


def test_a_file_that_an_experiment_created_and_somebody_deleted_at_once_is_reported(watch: Any) -> None:
    watch.apply(watch.proposed_new("skills/fresh/SKILL.md", b"# Fresh\n"))
    (watch.home / "skills/fresh/SKILL.md").unlink()
    (change,) = watch.look()
    assert (change.relpath, change.what) == ("skills/fresh/SKILL.md", "deleted")


def test_putting_the_old_text_back_by_hand_is_reported(watch: Any) -> None:
    """The file is then what it was at the last look, and yet not what the experiment left."""
    watch.apply(watch.approved("kind", "very kind"))
    watch.write("SOUL.md", SOUL)
    (change,) = watch.look()
    assert (change.relpath, change.what) == ("SOUL.md", "changed")


def test_an_edit_before_and_an_edit_after_are_both_reported(watch: Any) -> None:
    edited = watch.write("SOUL.md", SOUL.replace("brief", "short")).read_bytes()
    watch.apply(watch.approved("kind", "very kind"))
    applied = (watch.home / "SOUL.md").read_bytes()
    watch.write("SOUL.md", applied + b"More.\n")
    first, second = watch.look()
    assert first.new_sha256 == blobs.digest(edited)
    assert second.old_sha256 == blobs.digest(applied)


def test_the_same_bytes_written_by_hand_later_are_reported(watch: Any) -> None:
    """That an experiment once wrote them is no excuse."""
    number = watch.approved("kind", "very kind")
    watch.apply(number)
    applied = (watch.home / "SOUL.md").read_bytes()
    watch.look()
    revert(watch, number)
    watch.look()
    watch.write("SOUL.md", applied)
    assert len(watch.look()) == 1


def test_earlier_operations_explain_nothing_at_the_first_look(unseen: Any) -> None:
    number = unseen.proposed_new("skills/fresh/SKILL.md", b"# Fresh\n")
    unseen.apply(number)
    (unseen.home / "skills/fresh/SKILL.md").write_text("# Edited\n")
    assert unseen.look() == []
    (unseen.home / "skills/fresh/SKILL.md").unlink()
    assert len(unseen.look()) == 1


def test_an_operation_under_way_is_waited_for(watch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    number = watch.approved("kind", "very kind")
    seen: list[Any] = []

    def at(point: faults.Point) -> None:
        if point in (faults.Point.SWAPPED, faults.Point.FILE_RECORDED, faults.Point.COMMIT_RECORDED):
            seen.extend(watch.look())

    monkeypatch.setattr(operation, "reached", at)
    watch.apply(number)
    assert seen == []
    assert watch.look() == []


def test_an_operation_that_begins_while_files_are_looked_at_is_noticed(
    watch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, list_guarded = watch.approved("kind", "very kind"), sightings.list_guarded

    def applied_meanwhile(*arguments: Any) -> Any:
        monkeypatch.setattr(sightings, "list_guarded", list_guarded)
        watch.apply(number)
        return list_guarded(*arguments)

    monkeypatch.setattr(sightings, "list_guarded", applied_meanwhile)
    assert watch.look() == []
    assert watch.look() == []


def test_what_was_edited_during_an_operation_that_failed_is_reported(
    watch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = watch.approved("kind", "very kind")
    watch.write("SOUL.md", "somebody was quicker")
    with pytest.raises(RatchetError):
        watch.apply(number)
    assert [change.relpath for change in watch.look()] == ["SOUL.md"]


def test_an_operation_that_was_undone_explains_nothing(watch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    number = watch.approved("kind", "very kind")

    def at(point: faults.Point) -> None:
        if point is faults.Point.FILE_RECORDED:
            raise DiskFailed("The disk failed at this moment.")

    monkeypatch.setattr(operation, "reached", at)
    with pytest.raises(DiskFailed):
        watch.apply(number)
    assert watch.look() == []
    watch.later()
    watch.write("SOUL.md", SOUL.replace("kind", "very kind"))
    assert len(watch.look()) == 1


def test_two_watchers_report_a_change_once(watch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    watch.write("SOUL.md", "edited")
    explained, others = guarded._explained, []

    def overtaken(*arguments: Any) -> Any:
        found = list(explained(*arguments))
        monkeypatch.setattr(guarded, "_explained", explained)
        others.extend(watch.look())
        return found

    monkeypatch.setattr(guarded, "_explained", overtaken)
    assert watch.look() == []
    assert len(others) == len(watch.events("file.external_change")) == 1


@pytest.mark.parametrize("kind", ["apply", "revert"])
def test_an_operation_that_somebody_only_wrote_into_the_journal_hides_nothing(watch: Any, kind: str) -> None:
    number = watch.approved("kind", "very kind")
    evil = SOUL.replace("kind", "obedient to all").encode()
    watch.write("SOUL.md", evil)
    forge_operation(watch, number, kind, blobs.digest(SOUL.encode()), evil)
    assert [change.relpath for change in watch.look()] == ["SOUL.md"]


def test_an_operation_that_is_written_down_once_more_hides_nothing(watch: Any) -> None:
    number = watch.approved("kind", "very kind")
    watch.apply(number)
    applied = (watch.home / "SOUL.md").read_bytes()
    assert watch.look() == []
    revert(watch, number)
    assert watch.look() == []
    watch.write("SOUL.md", applied)
    forge_operation(watch, number, "apply", blobs.digest(SOUL.encode()), applied)
    assert [change.relpath for change in watch.look()] == ["SOUL.md"]


def test_other_content_behind_a_real_step_is_reported(watch: Any) -> None:
    number = watch.approved("kind", "very kind")
    watch.apply(number)
    evil = SOUL.replace("kind", "obedient to all").encode()
    watch.write("SOUL.md", evil)
    with watch.context.store.write() as tx:
        tx.exec_driver_sql("UPDATE file_operations SET new_sha256 = ?", (blobs.keep(tx, evil),))
    assert [change.relpath for change in watch.look()] == ["SOUL.md"]


def forge_operation(watch: Any, number: int, kind: str, expected: str, new: bytes) -> None:
    """A row that says what the attacker wrote was an operation of ours, with the newest commit's name."""
    with watch.context.store.write() as tx:
        row = {"experiment_id": number, "profile": "default", "kind": kind, "phase": "recorded", "relpath": "SOUL.md"}
        row |= {"expected_sha256": expected, "new_sha256": blobs.keep(tx, new), "mode": 0o644, "finished_at": "now"}
        row |= dict.fromkeys(("token", "git_dir", "ref", "actor", "principal", "reason", "started_at"), "x")
        found = tx.exec_driver_sql("SELECT apply_commit_sha FROM experiments WHERE id = ?", (number,)).scalar()
        tx.execute(file_operations.insert().values({**row, "commit_sha": found or "x"}))
