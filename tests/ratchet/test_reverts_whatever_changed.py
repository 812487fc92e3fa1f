"""A live change can be taken back whatever the operator's settings say by then, and in the history that has it."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from karpathy_self_improve.errors import PathRefused
from karpathy_self_improve.ratchet import apply
from karpathy_self_improve.ratchet.actor import Actor

SOMEBODY = Actor("somebody", "os:somebody")


@pytest.mark.parametrize("limits", ["allowed_files: [other.md]", "max_file_bytes: 1"])
def test_settings_of_today_do_not_keep_a_change_live(plain: Any, limits: str) -> None:
    before = plain.file().read_bytes()
    number = plain.live()
    plain.settings(f"changes: {{{limits}}}")
    assert apply.revert(plain.context, number, SOMEBODY, "no").state == "reverted"
    assert plain.file().read_bytes() == before


def test_what_no_change_may_touch_is_not_written_by_a_revert_either(plain: Any) -> None:
    number = plain.live()
    with plain.context.store.write() as tx:
        names = tx.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'experiments'")
        for (name,) in names.fetchall():
            tx.exec_driver_sql(f"DROP TRIGGER {name}")
        tx.exec_driver_sql("UPDATE experiments SET target_relpath = 'config.yaml'")
    with pytest.raises(PathRefused):
        apply.revert(plain.context, number, SOMEBODY, "no")


@pytest.mark.parametrize("how", ["folder", "repository"])
def test_a_repository_made_since_does_not_stand_in_the_way(plain: Any, how: str) -> None:
    before = plain.file().read_bytes()
    number = plain.live()
    if how == "folder":
        (plain.home / ".git").mkdir()
    else:
        subprocess.run(["git", "init", "-q", str(plain.home)], check=True)
    done = apply.revert(plain.context, number, SOMEBODY, "no")
    assert plain.file().read_bytes() == before
    assert plain.git("rev-parse", "HEAD").strip() == done.revert_commit_sha  # beside the change itself
