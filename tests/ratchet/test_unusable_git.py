"""A repository in which we must not commit now, or cannot: a clear error, and nothing at all was touched."""

from __future__ import annotations

import subprocess

import pytest

from karpathy_self_improve.errors import GitRefused, GitUnavailable
from karpathy_self_improve.ratchet import operation
from karpathy_self_improve.ratchet.git import index

OLD = b"# Soul\r\n\r\nBe brief. Be kind.\r\nA byte that is no UTF-8: \xff"
NEW = OLD.replace(b"Be kind.", b"Be very kind.")


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch):
    monkeypatch.setattr(index, "_PATIENCE_S", 0.2)


def check_refused(stage, number, error, words, kind="apply"):
    """``kind`` raises ``error``, and nothing at all changed: file, branch, index, journal, state."""
    before = stage.content(), stage.experiment(number).state, stage.file().stat().st_ino
    with pytest.raises(error) as caught:
        stage.run(kind, number)
    for word in words:
        assert word in caught.value.message
    assert (stage.content(), stage.experiment(number).state, stage.file().stat().st_ino) == before
    assert stage.open_operations() == []
    assert not list(stage.home.rglob("*ratchet-*"))


def test_a_missing_object_is_not_fetched_by_a_helper_the_repository_names(own, tmp_path):
    marker = tmp_path / "ran"
    number = own.approved()
    settings = {
        "remote.evil.url": f"ext::sh -c touch% {marker}",
        "remote.evil.promisor": "true",
        "protocol.ext.allow": "always",
        "extensions.partialClone": "evil",
    }
    own.git("config", "core.repositoryFormatVersion", "1")
    for setting, value in settings.items():
        own.git("config", setting, value)
    tree = own.git("rev-parse", "HEAD^{tree}").strip()
    (own.git_dir / "objects" / tree[:2] / tree[2:]).unlink()
    check_refused(own, number, GitUnavailable, ["git"])
    assert not marker.exists()


def test_a_stale_index_lock_is_named_and_nothing_is_touched(own):
    number = own.approved()
    lock = own.git_dir / "index.lock"
    lock.touch()
    check_refused(own, number, GitRefused, [str(lock), "delete that file"])
    assert own.events("operation.undone") == []  # seen before anything was begun
    lock.unlink()
    assert own.apply(number) == "live"


def test_an_index_lock_that_appears_after_the_file_was_written_takes_the_change_back(own, monkeypatch):
    number = own.approved()
    advance = operation._advance

    def lock_it(*arguments):
        (own.git_dir / "index.lock").touch()
        advance(*arguments)

    monkeypatch.setattr(operation, "_advance", lock_it)
    with pytest.raises(GitRefused, match=r"index\.lock"):
        own.apply(number)
    assert (own.git_dir / "index.lock").exists()
    (own.git_dir / "index.lock").unlink()
    assert own.check_consistent(number, OLD, NEW) == "approved"


def test_a_stale_lock_of_the_users_branch_is_named_and_the_change_taken_back(own):
    number = own.approved()
    lock = own.git_dir / "refs/heads/main.lock"
    lock.touch()
    with pytest.raises(GitRefused, match=f"{lock}.*delete that file"):
        own.apply(number)
    lock.unlink()
    assert own.check_consistent(number, OLD, NEW) == "approved"


def test_stale_locks_in_our_own_repository_are_no_reason_to_stop(plain):
    number = plain.approved()
    for name in ("refs/heads/main.lock", "HEAD.lock"):
        (plain.git_dir / name).touch()
    assert plain.apply(number) == "live"
    plain.check_consistent(number, OLD, NEW)


def test_a_broken_repository_inside_a_bigger_one_does_not_mean_the_bigger_one(plain):
    outer = plain.home.parent
    for words in (["init", "-q"], ["add", "plain/SOUL.md"], ["commit", "-qm", "mine"]):
        subprocess.run(["git", "-C", str(outer), *words], check=True)
    number = plain.approved()
    subprocess.run(["git", "-C", str(plain.home), "init", "-q"], check=True)
    (plain.home / ".git/HEAD").write_text("garbage")
    check_refused(plain, number, GitUnavailable, ["broken", "Repair"])


def break_head(own):
    (own.git_dir / "HEAD").write_text("garbage\n")


def break_branch(own):
    (own.git_dir / "refs/heads/main").write_text("garbage\n")


def break_packed_branch(own):
    own.git("pack-refs", "--all")
    commit = own.git("rev-parse", "HEAD").strip()
    (own.git_dir / "objects" / commit[:2] / commit[2:]).unlink()


def lose_the_tree(own):
    tree = own.git("rev-parse", "HEAD^{tree}").strip()
    (own.git_dir / "objects" / tree[:2] / tree[2:]).unlink()


def break_config(own):
    (own.git_dir / "config").write_text("[core\n")


def break_link(own):
    (own.git_dir).rename(own.home / "elsewhere")
    (own.home / ".git").write_text("gitdir: nowhere\n")


@pytest.mark.parametrize(
    "break_it", [break_head, break_branch, break_packed_branch, lose_the_tree, break_config, break_link]
)
@pytest.mark.parametrize("kind", ["apply", "revert"])
def test_a_broken_repository_is_refused_and_nothing_touched(prepared, break_it, kind):
    own, number = prepared(True, kind)
    break_it(own)
    check_refused(own, number, GitUnavailable, ["epair"], kind)


def test_a_bare_repository_is_refused(own):
    number = own.approved()
    own.git("config", "core.bare", "true")
    check_refused(own, number, GitRefused, ["bare"])


@pytest.mark.parametrize("kind", ["apply", "revert"])
@pytest.mark.parametrize("is_own", [True, False], ids=["own", "ours"])
def test_a_machine_without_git_is_told_so(prepared, kind, is_own, tmp_path, monkeypatch):
    stage, number = prepared(is_own, kind)
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    check_refused(stage, number, GitUnavailable, ["Install git"], kind)


def begin_merge(own):
    own.git("merge", "side", check=False)
    assert (own.git_dir / "MERGE_HEAD").exists()


def begin_rebase(own):
    own.git("rebase", "side", check=False)
    assert (own.git_dir / "rebase-merge").exists()


def begin_cherry_pick(own):
    own.git("cherry-pick", "side", check=False)
    assert (own.git_dir / "CHERRY_PICK_HEAD").exists()


def begin_revert(own):
    own.git("revert", "HEAD~1", check=False)
    assert (own.git_dir / "REVERT_HEAD").exists()


def begin_mailbox(own):
    patch = own.git("format-patch", "-1", "--stdout", "side")
    subprocess.run(["git", "-C", str(own.home), "am"], input=patch.encode(), capture_output=True)
    assert (own.git_dir / "rebase-apply").exists()


def leave_the_branch(own):
    own.git("checkout", "-q", "--detach")


@pytest.mark.parametrize(
    ("begin", "words"),
    [
        (begin_merge, "a merge"),
        (begin_rebase, "a rebase"),
        (begin_cherry_pick, "a cherry-pick"),
        (begin_revert, "a revert"),
        (begin_mailbox, "a rebase"),
        (leave_the_branch, "detached HEAD"),
    ],
)
def test_an_unfinished_step_of_the_user_is_not_walked_into(prepared, begin, words):
    own, number = prepared(True, "apply")
    conflicting = own.file("conflict.txt")
    for branch, text in ((["-b", "side"], "one"), (["main"], "two")):
        own.git("checkout", "-q", *branch)
        conflicting.write_text(f"{text}\n")
        own.commit("conflict.txt")
    conflicting.write_text("three\n")
    own.commit("conflict.txt")
    begin(own)
    status = own.git("status", "--porcelain=v2", "--branch")
    check_refused(own, number, GitRefused, [words, "try again"])
    assert own.git("status", "--porcelain=v2", "--branch") == status


def test_the_rest_of_several_picks_is_not_walked_into(own):
    number = own.approved()
    (own.git_dir / "sequencer").mkdir()
    check_refused(own, number, GitRefused, ["several commits"])


def test_a_git_directory_that_cannot_be_written_is_named(own):
    number = own.approved()
    (own.git_dir / "objects").rename(own.git_dir / "kept")
    (own.git_dir / "objects").write_text("in the way")
    check_refused(own, number, GitUnavailable, [])
