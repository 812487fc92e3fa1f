"""A kill at any step of apply or revert leaves, after recovery, nothing of it or all of it: one commit at most."""

from __future__ import annotations

import signal

import pytest

from karpathy_self_improve.errors import GitUnavailable
from karpathy_self_improve.ratchet import operation
from karpathy_self_improve.ratchet.faults import Point
from karpathy_self_improve.ratchet.files import disk, folders, guarded_file
from karpathy_self_improve.ratchet.git import history

OLD = b"# Soul\r\n\r\nBe brief. Be kind.\r\nA byte that is no UTF-8: \xff"
NEW = OLD.replace(b"Be kind.", b"Be very kind.")
SKILL = "skills/x/SKILL.md"

EDIT = ("SOUL.md", OLD, NEW)
CREATION = (SKILL, None, NEW)
CASES = {"edit": EDIT, "creation": CREATION}

BEFORE = [Point.PLANNED, Point.COMMIT_PREPARED]
MADE = [Point.FOLDER_MADE]
WRITTEN = [Point.TEMP_PARTLY_WRITTEN, Point.TEMP_WRITTEN]
SWAPPED = [Point.SWAPPED, Point.CHECKED, Point.FILE_RECORDED]
INDEX = [Point.INDEX_LOCKED, Point.INDEX_PREPARED]
PUBLISHED = [Point.REF_MOVED]
INDEXED = [Point.INDEX_MOVED]
AFTER = [Point.COMMIT_RECORDED, Point.TEMP_REMOVED, Point.RECORDED]


def reachable(own, kind, case, exchange=True):
    """The points that this operation passes, in order. An index is moved only in the user's own repository, a folder
    made only for a new file, nothing written when a file is taken away, hard links needed only without exchange.
    """
    takes_away = case == "creation" and kind == "revert"
    links = {("edit", False): [Point.LINKED, Point.RENAMED], ("creation", False): [Point.LINKED]}
    return [
        Point.PLANNED,
        *(MADE if case == "creation" and kind == "apply" else []),
        Point.COMMIT_PREPARED,
        *([] if takes_away else WRITTEN),
        *links.get((case, exchange), []),
        *SWAPPED,
        *(INDEX if own else []),
        *PUBLISHED,
        *(INDEXED if own else []),
        *AFTER,
    ]


ONLY_WHEN_UNDOING = {Point.PUT_BACK, Point.STRAY_KEPT, Point.UNDONE}
WAYS = [(own, kind, case) for own in (False, True) for kind in ("apply", "revert") for case in CASES]
INDEX_IS_MOVED = {*INDEX, *PUBLISHED, *INDEXED}
MATRIX = [
    (own, kind, case, point)
    for own, kind, case in WAYS
    for point in reachable(own, kind, case)
    # Whose repository it is shows only there; an edit is tried at every point of both all the same.
    if case == "edit" or not own or point in INDEX_IS_MOVED
]
OLD_STATE = {"apply": "approved", "revert": "live"}
NEW_STATE = {"apply": "live", "revert": "reverted"}


def named(value):
    return {True: "own", False: "ours"}.get(value, str(value)) if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "no-exchange"])
@pytest.mark.parametrize(("own", "kind", "case"), WAYS, ids=named)
def test_the_listed_points_are_exactly_those_passed(prepared, monkeypatch, own, kind, case, exchange):
    stage, number = prepared(own, kind, *CASES[case])
    passed = []
    for module in (disk, folders, guarded_file, history, operation):
        monkeypatch.setattr(module, "reached", passed.append)
    if not exchange:
        monkeypatch.setattr(disk, "_rename_call", lambda: None)
    stage.run(kind, number)
    assert list(dict.fromkeys(passed)) == reachable(own, kind, case, exchange)


def test_every_point_is_tried_in_some_combination():
    tried = {point for *way, _ in MATRIX for exchange in (True, False) for point in reachable(*way, exchange)}
    assert tried | ONLY_WHEN_UNDOING == set(Point)
    assert {point for _, _, point in RECOVERY} >= ONLY_WHEN_UNDOING - {Point.STRAY_KEPT}


def check_settled(stage, number, kind, case, happened):
    relpath, old, new = CASES[case]
    assert stage.check_consistent(number, old, new, relpath) == (NEW_STATE if happened else OLD_STATE)[kind]
    assert stage.events("file.conflict") == []  # what a kill leaves of ours is not taken for somebody's edit
    if stage.content(relpath) is None:
        assert not stage.file("skills/x").exists()
    assert stage.run(kind, number) == NEW_STATE[kind]
    assert stage.check_consistent(number, old, new, relpath) == NEW_STATE[kind]


def kill(processes, **job):
    (ended,) = processes(job)
    assert ended["exit"] == -signal.SIGKILL, ended


@pytest.mark.parametrize(("own", "kind", "case", "point"), MATRIX, ids=named)
def test_recovery_after_a_kill_is_all_or_nothing(prepared, processes, own, kind, case, point):
    stage, number = prepared(own, kind, *CASES[case])
    kill(processes, do=kind, id=number, kill_at=point, short_writes=point == Point.TEMP_PARTLY_WRITTEN)
    assert len(stage.open_operations()) == (point != Point.RECORDED)
    done = stage.recover()
    assert len(done) == (point != Point.RECORDED)
    assert stage.recover() == []
    check_settled(stage, number, kind, case, point in [*PUBLISHED, *INDEXED, *AFTER])


BY_LINKS = [
    (kind, case, point)
    for own, kind, case in WAYS
    for point in reachable(own, kind, case, exchange=False)
    if not own and point in (Point.LINKED, Point.RENAMED)
]


@pytest.mark.parametrize(("kind", "case", "point"), BY_LINKS, ids=named)
def test_recovery_without_an_atomic_exchange(prepared, processes, kind, case, point):
    stage, number = prepared(False, kind, *CASES[case])
    kill(processes, do=kind, id=number, kill_at=point, no_exchange=True)
    stage.recover()
    check_settled(stage, number, kind, case, happened=False)


UNDOING = [("swapped", True, Point.PUT_BACK), ("swapped", True, Point.UNDONE), ("planned", True, Point.UNDONE)]
UNDOING += [("swapped", False, Point.LINKED), ("swapped", False, Point.RENAMED), ("renamed", False, Point.RENAMED)]
FINISHING = [("ref-moved", True, point) for point in (*INDEX, *INDEXED, Point.TEMP_REMOVED, Point.RECORDED)]
RECOVERY = UNDOING + FINISHING


@pytest.mark.parametrize(("first", "exchange", "second"), RECOVERY, ids=named)
@pytest.mark.parametrize("kind", ["apply", "revert"])
def test_recovery_itself_may_be_killed(prepared, processes, kind, first, exchange, second):
    stage, number = prepared(True, kind)
    kill(processes, do=kind, id=number, kill_at=first, no_exchange=not exchange)
    kill(processes, do="recover", kill_at=second, no_exchange=not exchange)
    stage.recover()
    check_settled(stage, number, kind, "edit", (first, exchange, second) in FINISHING)


@pytest.mark.parametrize("second", [Point.PUT_BACK, Point.LINKED, Point.UNDONE])
def test_recovery_of_a_creation_may_be_killed(prepared, processes, second):
    stage, number = prepared(False, "apply", *CREATION)
    kill(processes, do="apply", id=number, kill_at="checked", no_exchange=second == Point.LINKED)
    kill(processes, do="recover", kill_at=second, no_exchange=second == Point.LINKED)
    stage.recover()
    check_settled(stage, number, "apply", "creation", happened=False)


def test_the_next_step_on_the_profile_recovers_by_itself(prepared, processes):
    stage, number = prepared(True, "apply")
    kill(processes, do="apply", id=number, kill_at="ref-moved")
    assert stage.apply(number) == "live"
    stage.check_consistent(number, OLD, NEW)
    kill(processes, do="revert", id=number, kill_at="swapped")
    assert stage.revert(number) == "reverted"
    stage.check_consistent(number, OLD, NEW)


def test_the_user_cannot_commit_the_old_file_again_between_kill_and_recovery(prepared, processes):
    """The branch has our commit, their index not yet: their lock stays ours until recovery brings the index along."""
    stage, number = prepared(True, "apply")
    kill(processes, do="apply", id=number, kill_at="ref-moved")
    stage.file("other.txt").write_text("mine")
    assert stage.git("add", "other.txt", check=False) == ""
    assert (stage.git_dir / "index.lock").exists()
    stage.recover()
    stage.commit("other.txt")
    assert stage.committed() == NEW


def test_a_lock_of_somebody_else_is_not_removed_by_recovery(prepared, processes):
    stage, number = prepared(True, "apply")
    kill(processes, do="apply", id=number, kill_at="index-locked")
    (stage.git_dir / "index.lock").unlink()
    (stage.git_dir / "index.lock").write_text("theirs")
    stage.recover()
    assert (stage.git_dir / "index.lock").read_text() == "theirs"
    (stage.git_dir / "index.lock").unlink()
    check_settled(stage, number, "apply", "edit", happened=False)


def test_recovery_finishes_although_the_user_committed_more_since(prepared, processes):
    stage, number = prepared(False, "apply")
    kill(processes, do="apply", id=number, kill_at="ref-moved")
    tree = stage.git("rev-parse", "HEAD^{tree}").strip()
    more = stage.git("commit-tree", tree, "-p", "HEAD", "-m", "mine").strip()
    stage.git("update-ref", "HEAD", more)
    stage.recover()
    assert stage.check_consistent(number, OLD, NEW) == "live"


def test_a_prepared_commit_that_git_threw_away_counts_as_never_happened(prepared, processes):
    stage, number = prepared(True, "apply")
    kill(processes, do="apply", id=number, kill_at="file-recorded")
    stage.git("prune", "--expire=now")
    stage.recover()
    check_settled(stage, number, "apply", "edit", happened=False)


@pytest.mark.parametrize("is_own", [True, False], ids=["own", "ours"])
def test_a_branch_that_cannot_be_read_is_not_taken_for_one_without_our_commit(prepared, processes, is_own):
    stage, number = prepared(is_own, "apply")
    kill(processes, do="apply", id=number, kill_at="ref-moved")
    branch = stage.git_dir / "refs" / "heads" / "main"
    at = branch.read_bytes()
    branch.write_bytes(b"")
    with pytest.raises(GitUnavailable, match="points at nothing readable"):
        stage.recover()
    assert stage.content() == NEW
    branch.write_bytes(at)
    stage.recover()
    assert stage.check_consistent(number, OLD, NEW) == "live"


def test_one_broken_profile_does_not_keep_the_others_from_recovery(prepared, processes):
    stage, number = prepared(False, "apply")
    other = stage.home / "profiles" / "other"
    other.mkdir(parents=True)
    (other / "SOUL.md").write_bytes(OLD)
    kill(processes, do="apply", id=number, kill_at="swapped")
    (stage.git_dir / "HEAD").rename(stage.git_dir / "kept")
    second = operation_on(stage, "other")
    kill(processes, do="apply", id=second, kill_at="swapped")
    with pytest.raises(GitUnavailable):
        stage.recover()
    assert (other / "SOUL.md").read_bytes() == OLD
    assert [one.profile for one in stage.open_operations()] == ["default"]
    (stage.git_dir / "kept").rename(stage.git_dir / "HEAD")
    stage.recover()
    check_settled(stage, number, "apply", "edit", happened=False)


def operation_on(stage, profile):
    from karpathy_self_improve.ratchet import approval, experiments
    from karpathy_self_improve.ratchet.actor import Actor

    somebody = Actor("somebody", "os:somebody")
    number = experiments.propose(stage.context, profile, "SOUL.md", NEW, "kinder", somebody).id
    approval.approve(stage.context, number, somebody, override_reason="a test")
    return number
