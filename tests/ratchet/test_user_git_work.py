"""Our commits stand beside the user's own work in their repository: nothing staged, edited or committed moves."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from karpathy_self_improve.errors import GitRefused, GitUnavailable
from karpathy_self_improve.ratchet import apply as applying
from karpathy_self_improve.ratchet.git import history

OLD = b"# Soul\r\n\r\nBe brief. Be kind.\r\nA byte that is no UTF-8: \xff"
NEW = OLD.replace(b"Be kind.", b"Be very kind.")


def with_user_work(own):
    """Other files of the user: one staged, one edited, one both, one taken out, one new, one untouched."""
    names = ["staged", "edited", "both", "removed", "kept"]
    for name in names:
        own.file(f"{name}.txt").write_text("one\n")
    own.commit(*(f"{name}.txt" for name in names))
    for name in ("staged", "both"):
        own.file(f"{name}.txt").write_text("two\n")
        own.git("add", f"{name}.txt")
    for name in ("edited", "both"):
        own.file(f"{name}.txt").write_text("three\n")
    own.git("rm", "-q", "removed.txt")
    own.file("new.txt").write_text("new\n")
    own.git("add", "new.txt")
    return own.git("status", "--porcelain"), own.git("diff"), own.git("diff", "--cached")


def test_everything_else_staged_and_edited_stays(own):
    before = with_user_work(own)
    number = own.live()
    assert (own.git("status", "--porcelain"), own.git("diff"), own.git("diff", "--cached")) == before
    own.revert(number)
    assert (own.git("status", "--porcelain"), own.git("diff"), own.git("diff", "--cached")) == before


def test_each_of_our_commits_changes_one_file(either):
    if either.own:
        with_user_work(either)
    number = either.live()
    either.revert(number)
    made = either.live(b"---\nname: x\n---\nNew.\n", "skills/x/SKILL.md")
    either.revert(made)
    log = either.git("log", "--author=Hermes Ratchet", "--format=tformat:commit", "--name-only").split("commit")[1:]
    assert len(log) == (4 if either.own else 5)
    assert {paths.strip() for paths in log} == {"SOUL.md", "skills/x/SKILL.md"}


def test_the_message_carries_experiment_candidate_and_audit_head(either):
    number = either.live()
    message = either.git("log", "-1", "--format=%B")
    trailers = either.git("log", "-1", "--format=%(trailers:only,unfold)").strip().splitlines()
    found = dict(line.split(": ", 1) for line in trailers)
    steps = [step for step in applying.experiments.transitions(either.context, number) if step.to_state == "approved"]
    assert message.startswith(f"Apply experiment {number}: kinder\n\n")
    assert found.pop("Ratchet-Operation")
    assert found == {
        "Ratchet-Experiment": str(number),
        "Ratchet-Candidate": either.experiment(number).candidate_sha256,
        "Ratchet-Audit-Head": f"{steps[0].id} {steps[0].hash}",
        "Ratchet-Audit-Chain": applying.experiments.transitions(either.context, 1)[0].hash,
    }


def test_our_change_survives_when_the_user_commits_another_file(own):
    own.file("other.txt").write_text("mine\n")
    own.git("add", "other.txt")
    number = own.live()
    own.git("commit", "-qm", "only the other file")
    assert own.git("show", "--format=", "--name-only", "HEAD").split() == ["other.txt"]
    assert own.committed() == own.staged() == NEW
    own.revert(number)
    own.file("third.txt").write_text("mine\n")
    own.commit("third.txt")
    assert own.committed() == own.staged() == OLD


def test_a_file_made_by_apply_survives_when_the_user_commits_another_file(own):
    number = own.live(b"---\nname: x\n---\nNew.\n", "skills/x/SKILL.md")
    own.file("other.txt").write_text("mine\n")
    own.commit("other.txt")
    assert own.committed("skills/x/SKILL.md") is not None
    own.revert(number)
    own.git("commit", "-q", "--allow-empty", "-m", "mine")
    assert own.committed("skills/x/SKILL.md") is None


def test_uncommitted_edits_of_the_target_are_marked_and_come_back(own):
    dirty = OLD.replace(b"Be brief.", b"Be short.")
    own.file().write_bytes(dirty)
    number = own.live(dirty + b"\nMore.")
    assert own.experiment(number).dirty_before_apply == 1
    own.revert(number)
    assert own.content() == own.staged() == own.committed() == dirty


def test_a_clean_target_is_not_marked_dirty(either):
    assert either.experiment(either.live()).dirty_before_apply == 0


def test_an_edit_of_the_target_that_is_staged_whole_comes_along(own):
    dirty = OLD.replace(b"Be brief.", b"Be short.")
    own.file().write_bytes(dirty)
    own.git("add", "SOUL.md")
    new = dirty + b"\nMore."
    number = own.live(new)
    assert own.experiment(number).dirty_before_apply == 1
    assert own.staged() == own.committed() == new
    assert own.git("status", "--porcelain") == ""


def test_another_edit_of_the_target_that_is_staged_stays_staged(own):
    own.file().write_bytes(b"Staged by its user.\n")
    own.git("add", "SOUL.md")
    own.file().write_bytes(OLD)
    number = own.live()
    assert own.staged() == b"Staged by its user.\n"
    assert own.committed() == own.content() == NEW
    own.revert(number)
    assert own.staged() == b"Staged by its user.\n"
    assert own.committed() == own.content() == OLD


def test_a_mode_the_user_staged_stays_staged(own):
    own.git("update-index", "--chmod=+x", "SOUL.md")
    own.live()
    assert own.git("ls-files", "-s", "SOUL.md").split()[0] == "100755"


def test_a_target_taken_out_of_the_index_stays_out(own):
    own.git("rm", "-q", "--cached", "SOUL.md")
    own.live()
    assert own.staged() is None
    assert own.committed() == NEW


def test_an_unresolved_conflict_of_the_target_stays_unresolved(own):
    blob = own.git("rev-parse", "HEAD:SOUL.md").strip()
    sides = f"0 {blob}\tSOUL.md\n" + "".join(f"100644 {blob} {side}\tSOUL.md\n" for side in (1, 2, 3))
    subprocess.run(["git", "-C", str(own.home), "update-index", "--index-info"], input=sides.encode(), check=True)
    number = own.live()
    assert [line.split()[2] for line in own.git("ls-files", "-s").splitlines()] == ["1", "2", "3"]
    own.revert(number)
    assert len(own.git("ls-files", "-u").splitlines()) == 3


@pytest.mark.parametrize("is_ignored", [False, True], ids=["untracked", "ignored"])
def test_a_target_that_git_does_not_know_is_committed_all_the_same(own, is_ignored):
    relpath = "skills/x/SKILL.md"
    own.file("skills/x").mkdir(parents=True)
    own.file(relpath).write_bytes(b"One.\n")
    if is_ignored:
        own.file(".gitignore").write_text("skills/\n")
        own.commit(".gitignore")
    number = own.live(b"Two.\n", relpath)
    assert own.experiment(number).dirty_before_apply == 1
    assert own.committed(relpath) == own.staged(relpath) == b"Two.\n"
    own.revert(number)
    assert own.content(relpath) == own.committed(relpath) == own.staged(relpath) == b"One.\n"


def test_a_repository_without_a_commit_gets_its_first(plain):
    subprocess.run(["git", "-C", str(plain.home), "init", "-q"], check=True)
    plain.own = True
    plain.file("other.txt").write_text("mine\n")
    plain.git("add", "other.txt")
    number = plain.live()
    assert plain.committed() == NEW
    assert plain.git("ls-tree", "--name-only", "HEAD").split() == ["SOUL.md"]
    assert plain.git("diff", "--cached", "--name-only").split() == ["other.txt"]
    plain.revert(number)
    assert plain.committed() == plain.content() == OLD


def test_a_repository_with_sha256_names(plain):
    subprocess.run(["git", "-C", str(plain.home), "init", "-q", "--object-format=sha256"], check=True)
    plain.own = True
    plain.commit("SOUL.md")
    plain.revert(plain.live())
    assert plain.committed() == OLD
    made = plain.live(b"New.\n", "skills/x/SKILL.md")
    assert len(plain.experiment(made).apply_commit_sha) == 64
    plain.revert(made)
    assert plain.committed("skills/x/SKILL.md") is None
    assert plain.staged("skills/x/SKILL.md") is None


def test_a_linked_worktree_is_the_users_own_repository(plain, tmp_path):
    main = tmp_path / "main"
    for words in (["init", "-q", str(main)], ["-C", str(main), "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *words], check=True)
    subprocess.run(
        ["git", "-C", str(main), "worktree", "add", "-q", "-b", "soul", str(tmp_path / "linked")], check=True
    )
    (tmp_path / "linked" / ".git").rename(plain.home / ".git")
    (main / ".git/worktrees/linked/gitdir").write_text(f"{plain.home}/.git\n")
    plain.own = True
    plain.commit("SOUL.md")
    number = plain.live()
    assert plain.committed() == plain.staged() == NEW
    assert plain.git("rev-parse", "--abbrev-ref", "HEAD").strip() == "soul"
    plain.revert(number)
    assert plain.committed() == plain.staged() == OLD
    assert subprocess.run(["git", "-C", str(main), "status", "--porcelain"], capture_output=True).stdout == b""


def test_recovery_knows_the_index_of_a_linked_worktree(plain, tmp_path, processes):
    test_a_linked_worktree_is_the_users_own_repository(plain, tmp_path)
    number = plain.approved()
    assert processes({"do": "apply", "id": number, "kill_at": "ref-moved"})[0]["exit"] == -9
    plain.recover()
    assert plain.committed() == plain.staged() == NEW
    assert plain.git("status", "--porcelain", "SOUL.md") == ""


HOOKS = ("pre-commit", "commit-msg", "post-commit", "reference-transaction", "post-index-change", "pre-auto-gc")


def test_nothing_the_repository_configures_is_run(own, tmp_path):
    marker = tmp_path / "ran"
    script = f"#!/bin/sh\necho $0 >> {marker}\nexit 1\n"
    evil = tmp_path / "evil"
    evil.write_text(script)
    evil.chmod(0o755)
    for name in HOOKS:
        (own.git_dir / "hooks" / name).write_text(script)
        (own.git_dir / "hooks" / name).chmod(0o755)
    for setting in ("core.fsmonitor", "filter.x.clean", "filter.x.smudge", "filter.x.process", "gpg.program"):
        own.git("config", setting, str(evil))
    for setting, value in {
        "commit.gpgSign": "true",
        "filter.x.required": "true",
        "core.splitIndex": "true",
        "core.hooksPath": str(own.git_dir / "hooks"),
    }.items():
        own.git("config", setting, value)
    own.file(".git/info/attributes").write_text("* filter=x\n")
    number = own.live()
    assert own.content() == own.committed() == NEW
    own.revert(number)
    assert own.content() == own.committed() == OLD
    assert not marker.exists()


def test_our_commit_needs_no_identity_of_the_user(either, git_identity_free_env):
    number = either.approved()
    assert either.apply(number) == "live"
    assert either.git("log", "-1", "--format=%an <%ae>").strip() == "Hermes Ratchet <ratchet@localhost>"


def test_variables_that_git_obeys_do_not_lead_us_elsewhere(own, tmp_path, monkeypatch):
    number = own.approved()
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    assert own.apply(number) == "live"
    monkeypatch.undo()
    assert own.committed() == own.staged() == NEW


def test_a_split_index_stays_usable_and_is_split_by_its_user_alone(own):
    own.git("config", "core.splitIndex", "true")
    own.file("other.txt").write_text("mine\n")
    own.git("add", "other.txt")
    shared = set(own.git_dir.glob("sharedindex.*"))
    assert shared
    own.revert(own.live())
    assert set(own.git_dir.glob("sharedindex.*")) <= shared
    assert own.git("status", "--porcelain") == "A  other.txt\n"


def test_a_working_directory_that_is_gone_does_not_matter(own, tmp_path, monkeypatch):
    number = own.approved()
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert own.apply(number) == "live"


def test_a_commit_of_the_user_in_the_middle_goes_before_ours(own, monkeypatch):
    number = own.approved()
    publish = history.publish

    def commit_first(*arguments):
        if not own.file("other.txt").exists():
            own.file("other.txt").write_text("mine\n")
            own.commit("other.txt")
        publish(*arguments)

    monkeypatch.setattr(history, "publish", commit_first)
    assert own.apply(number) == "live"
    assert own.git("log", "--format=%s").splitlines()[1] == "mine"
    own.check_consistent(number, OLD, NEW)


def test_a_branch_the_user_switches_to_in_the_middle_gets_the_commit(own, monkeypatch):
    number = own.approved()
    publish = history.publish

    def switch_first(*arguments):
        own.git("checkout", "-q", "-B", "side")
        publish(*arguments)

    monkeypatch.setattr(history, "publish", switch_first)
    assert own.apply(number) == "live"
    own.check_consistent(number, OLD, NEW)
    assert own.git("log", "--format=%an", "main").split("\n")[0] != "Hermes Ratchet"


def test_what_reached_a_branch_switched_to_in_the_middle_is_finished_there(own, monkeypatch):
    number = own.approved()
    publish = history.publish

    def switch_and_be_cut_short(*arguments):
        if own.git("rev-parse", "--abbrev-ref", "HEAD") == "side\n":
            publish(*arguments)
            raise GitUnavailable("cut short")
        own.git("checkout", "-q", "-B", "side")
        publish(*arguments)

    monkeypatch.setattr(history, "publish", switch_and_be_cut_short)
    assert own.apply(number) == "live"
    own.check_consistent(number, OLD, NEW)


@pytest.mark.parametrize("is_own", [True, False], ids=["own", "ours"])
def test_a_branch_moved_in_the_last_moment_is_built_upon(prepared, monkeypatch, is_own):
    """Also by commands that heed no index lock: the branch itself is compared and swapped."""
    stage, number = prepared(is_own, "apply")
    move = history._move_ref
    left = ["once"]

    def move_first(repository, head, commit):
        if left:
            left.pop()
            tree = stage.git("rev-parse", f"{head.ref}^{{tree}}").strip()
            theirs = stage.git("commit-tree", tree, "-p", head.ref, "-m", "mine").strip()
            stage.git("update-ref", head.ref, theirs)
        move(repository, head, commit)

    monkeypatch.setattr(history, "_move_ref", move_first)
    assert stage.apply(number) == "live"
    assert stage.git("log", "--format=%s").splitlines()[1] == "mine"
    stage.check_consistent(number, OLD, NEW)


def test_a_branch_that_keeps_moving_takes_the_change_back(own, monkeypatch):
    number = own.approved()
    publish = history.publish

    def move_first(*arguments):
        own.git("commit", "-q", "--allow-empty", "-m", "mine")
        publish(*arguments)

    monkeypatch.setattr(history, "publish", move_first)
    with pytest.raises(GitRefused, match="moved"):
        own.apply(number)
    assert own.check_consistent(number, OLD, NEW) == "approved"


def test_a_bigger_repository_around_the_profile_is_left_alone(plain):
    outer = plain.home.parent
    (outer / "mine.txt").write_text("mine\n")
    for words in (["init", "-q"], ["add", "mine.txt", "plain/SOUL.md"], ["commit", "-qm", "mine"], ["pack-refs"]):
        subprocess.run(["git", "-C", str(outer), *words], check=True)

    def state():
        watched = [path for path in (outer / ".git").rglob("*") if path.is_file()]
        return {path: path.read_bytes() for path in watched}

    before = state()
    number = plain.live()
    assert plain.committed() == NEW
    plain.revert(number)
    assert state() == before


def test_recovery_waits_for_a_git_that_outlived_its_killed_process(own, processes, tmp_path, monkeypatch):
    """Otherwise it could decide "never happened" a moment before the orphan moves the branch."""
    number = own.approved()
    real = subprocess.run(["sh", "-c", "command -v git"], capture_output=True, text=True, check=True).stdout.strip()
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / "git").write_text(
        f'#!/bin/sh\ncase " $* " in *" update-ref "*) kill -9 $PPID; sleep 0.5;; esac\nexec {real} "$@"\n'
    )
    (slow / "git").chmod(0o755)
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", f"{slow}{os.pathsep}{path}")
    assert processes({"do": "apply", "id": number})[0]["exit"] == -9
    monkeypatch.setenv("PATH", path)
    own.recover()
    assert own.check_consistent(number, OLD, NEW) == "live"


def test_our_own_repository_is_private_to_its_user(plain):
    plain.live()
    assert stat.S_IMODE((plain.home / "ratchet").stat().st_mode) == 0o700
    assert [path.name for path in Path(plain.git_dir).parent.iterdir()] == ["default.git"]
