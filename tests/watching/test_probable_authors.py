"""Who probably changed a file: the host's tools by what they leave behind, git by its history, else nobody knows."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

SKILL = "skills/cooking/soup/SKILL.md"


def stored(
    watch: Any, tool: str, arguments: dict[str, Any], *, asked: float = 0.0, answered: float | None = 0.0
) -> None:
    """A tool call in the host's own tables, moments relative to now."""
    call = {"id": "c1", "call_id": "c1", "function": {"name": tool, "arguments": json.dumps(arguments)}}
    rows = [("assistant", json.dumps([call]), None, time.time() + asked)]
    rows += [] if answered is None else [("tool", None, "c1", time.time() + answered)]
    with sqlite3.connect(watch.home / "state.db") as database:
        database.execute(
            "CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, session_id TEXT, role TEXT, tool_calls TEXT,"
            " tool_call_id TEXT, timestamp REAL)"
        )
        insert = (
            "INSERT INTO messages (session_id, role, tool_calls, tool_call_id, timestamp) VALUES ('s1', ?, ?, ?, ?)"
        )
        database.executemany(insert, rows)
    database.close()


def logged(watch: Any, *lines: str) -> None:
    """Lines of agent.log, written now in local time as the host does."""
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
    watch.write("logs/agent.log", "".join(f"{now} INFO [s1] {line}\n" for line in lines))


def author(watch: Any) -> tuple[str, dict[str, str]]:
    (change,) = watch.look()
    return change.author, change.facts


def test_an_edit_without_any_trace_is_nobodys(watch: Any) -> None:
    watch.write("SOUL.md", "edited")
    assert author(watch) == ("person or unknown", {})


@pytest.mark.parametrize(
    ("relpath", "tool", "arguments"),
    [
        (SKILL, "skill_manage", {"action": "patch", "name": "soup"}),
        ("memories/MEMORY.md", "memory", {"action": "add", "content": "x"}),
        ("memories/USER.md", "memory", {"action": "add", "target": "user", "content": "x"}),
        ("SOUL.md", "write_file", {"path": "/root/.hermes/SOUL.md", "content": "x"}),
        ("SOUL.md", "patch", {"mode": "patch", "patch": "*** Update File: SOUL.md\n"}),
        (SKILL, "terminal", {"command": "cd skills/cooking/soup && sed -i s/a/b/ SKILL.md"}),
        ("SOUL.md", "execute_code", {"code": "open('SOUL.md', 'w').write('x')"}),
    ],
)
def test_a_stored_tool_call_that_names_the_file_is_the_agents(
    watch: Any, relpath: str, tool: str, arguments: dict[str, Any]
) -> None:
    stored(watch, tool, arguments)
    watch.write(relpath, "edited")
    assert author(watch) == ("agent's own tool", {"tool": tool, "session": "s1"})


@pytest.mark.parametrize(
    ("tool", "arguments", "asked", "answered"),
    [
        ("skill_manage", {"action": "patch", "name": "stew"}, 0.0, 0.0),
        ("memory", {"action": "add"}, 0.0, 0.0),
        ("write_file", {"path": "/elsewhere/SKILL.md"}, 0.0, 0.0),
        ("skill_manage", {"action": "patch", "name": "soup"}, -600.0, -590.0),
        ("terminal", {"command": "make"}, -100.0, None),
        ("read_file", {"path": SKILL}, 0.0, 0.0),
    ],
)
def test_calls_about_something_else_or_at_another_time_are_not(
    watch: Any, tool: str, arguments: dict[str, Any], asked: float, answered: float | None
) -> None:
    stored(watch, tool, arguments, asked=asked, answered=answered)
    watch.write(SKILL, "edited")
    assert author(watch)[0] == "person or unknown"


def test_a_long_command_that_names_the_file_covers_the_whole_time_it_ran(watch: Any) -> None:
    stored(watch, "terminal", {"command": "sleep 60; echo x > SOUL.md"}, asked=-60.0)
    watch.write("SOUL.md", "edited")
    assert author(watch)[0] == "agent's own tool"


def test_a_logged_call_that_no_session_stored_is_a_background_review(watch: Any) -> None:
    logged(
        watch,
        "run_agent: OpenAI client created (agent_init, shared=True) thread=bg-review:1 provider=custom",
        "agent.tool_executor: tool memory completed (0.00s, 196 chars)",
    )
    watch.write("memories/MEMORY.md", "reviewed")
    assert author(watch) == ("background review", {"tool": "memory", "session": "s1"})


def test_a_logged_call_of_the_curators_session_is_the_curators(watch: Any) -> None:
    logged(
        watch,
        "agent.turn_context: conversation turn: session=s1 model=m provider=p platform=curator history=0 msg='x'",
        "agent.tool_executor: tool skill_manage completed (0.00s, 353 chars)",
    )
    watch.write(SKILL, "curated")
    assert author(watch)[0] == "curator"


def test_a_skill_archived_by_the_host_is_the_curators(watch: Any) -> None:
    watch.write("skills/.usage.json", json.dumps({"soup": {"state": "archived", "archived_at": iso()}}))
    (watch.home / "skills/.archive").mkdir()
    (watch.home / "skills/cooking/soup").rename(watch.home / "skills/.archive/soup")
    assert author(watch)[0] == "curator"


def test_a_change_during_a_reported_curator_run_is_the_curators(watch: Any) -> None:
    report = {"started_at": iso(-30), "duration_seconds": 40.0}
    watch.write("logs/curator/20261120-124408/run.json", json.dumps(report))
    watch.write(SKILL, "curated")
    assert author(watch)[0] == "curator"


def test_the_hosts_own_count_of_patches_tells_of_its_skill_tool(watch: Any) -> None:
    watch.write("skills/.usage.json", json.dumps({"soup": {"last_patched_at": iso()}}))
    watch.write(SKILL, "patched")
    assert author(watch) == ("agent's own tool", {"tool": "skill_manage"})


def test_a_skill_created_by_the_review_alone_is_its_own(watch: Any) -> None:
    watch.write("skills/.usage.json", json.dumps({"fresh": {"created_by": "agent", "created_at": iso()}}))
    watch.write("skills/fresh/SKILL.md", "new")
    assert author(watch)[0] == "background review"


def test_a_skill_as_the_hosts_update_left_it_is_the_updates(watch: Any) -> None:
    path = watch.write(SKILL, "the new bundled text")
    digest = hashlib.md5(b"SKILL.md" + path.read_bytes(), usedforsecurity=False).hexdigest()
    watch.write("skills/.bundled_manifest", f"soup:{digest}\n")
    assert author(watch)[0] == "host update"


def test_a_bundled_skill_with_one_more_word_is_not(watch: Any) -> None:
    watch.write("skills/.bundled_manifest", "soup:0123456789abcdef0123456789abcdef\n")
    watch.write(SKILL, "one more word")
    assert author(watch)[0] == "person or unknown"


def test_a_commit_names_its_author(own_repository: Any) -> None:
    watch = own_repository
    watch.write("SOUL.md", "edited")
    watch.git("commit", "-q", "-am", "mine")
    who, facts = author(watch)
    assert (who, facts["name"]) == ("git", "Somebody")
    assert facts["commit"] == watch.git("rev-parse", "HEAD").strip()


def test_a_commit_made_after_the_change_was_noticed_names_its_author_too(own_repository: Any) -> None:
    watch = own_repository
    watch.write("SOUL.md", "edited")
    assert author(watch)[0] == "person or unknown"
    watch.git("commit", "-q", "-am", "mine")
    assert [change.author for change in watch.waiting()] == ["git"]


def test_a_deletion_by_commit_names_its_author(own_repository: Any) -> None:
    own_repository.git("rm", "-q", "SOUL.md")
    own_repository.git("commit", "-q", "-m", "gone")
    assert author(own_repository)[0] == "git"


def test_an_edit_on_top_of_a_commit_is_not_the_commits(own_repository: Any) -> None:
    own_repository.write("SOUL.md", "edited")
    assert author(own_repository)[0] == "person or unknown"


def test_an_author_name_cannot_write_on_the_screen(own_repository: Any) -> None:
    own_repository.write("SOUL.md", "edited")
    own_repository.git("-c", f"user.name=\x1b[2J\u202e{'x' * 500}", "commit", "-q", "-am", "mine")
    name = author(own_repository)[1]["name"]
    assert name.isprintable()
    assert len(name) <= 80


def test_a_pattern_as_a_file_name_is_no_pattern_for_git(own_repository: Any) -> None:
    watch = own_repository
    watch.write("skills/other.md", "committed")
    watch.git("add", "skills/other.md")
    watch.git("commit", "-q", "-m", "another file")
    watch.look()
    star = watch.write("skills/*.md", "not committed")
    assert author(watch)[0] == "person or unknown"
    star.unlink()
    watch.later()
    assert author(watch)[0] == "person or unknown"


@pytest.mark.parametrize("name", ["log.showSignature", "core.fsmonitor", "core.hooksPath"])
def test_the_repositorys_own_configuration_runs_nothing(own_repository: Any, tmp_path: Path, name: str) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    own_repository.write("SOUL.md", "edited")
    own_repository.git("commit", "-q", "-am", "mine")
    own_repository.git("config", "gpg.program", str(trap))
    own_repository.git("config", name, "true" if name == "log.showSignature" else str(trap))
    assert author(own_repository)[0] == "git"
    assert not (tmp_path / "sprung").exists()


def test_a_broken_repository_only_costs_the_guess(own_repository: Any) -> None:
    own_repository.write("SOUL.md", "edited")
    (own_repository.home / ".git/HEAD").write_text("nonsense")
    assert author(own_repository)[0] == "person or unknown"


def test_traces_of_any_shape_stop_nothing(watch: Any) -> None:
    stored(watch, "terminal", {})
    with sqlite3.connect(watch.home / "state.db") as database:
        insert = "INSERT INTO messages (session_id, role, tool_calls, tool_call_id, timestamp) VALUES (?, ?, ?, ?, ?)"
        calls = [
            "",
            "{",
            "[1, null, {}]",
            "[" * 5000,
            '[{"function": 3}]',
            '[{"function": {"name": [], "arguments": {}}}]',
        ]
        database.executemany(insert, [(None, "assistant", one, None, time.time()) for one in calls])
        database.execute(insert, ("s", "assistant", "[]", None, "no moment"))
        database.execute(insert, (b"\xff", "tool", None, b"\xff", float("inf")))
    database.close()
    for relpath in ("skills/.usage.json", "logs/curator/x/run.json"):
        watch.write(relpath, '{"soup": 3, "started_at": [], "duration_seconds": "x"}')
    watch.write("skills/.bundled_manifest", b"\xff\xfe:\x00\n::::\nsoup")
    watch.write(
        "logs/agent.log", b"\xff\n2026-99-99 99:99:99,999 INFO [x] agent.tool_executor: tool memory completed (\n"
    )
    watch.write(SKILL, "edited")
    assert author(watch)[0] == "person or unknown"


def test_pipes_in_the_place_of_traces_keep_nobody_waiting(watch: Any) -> None:
    for relpath in ("logs/agent.log", "skills/.usage.json", "skills/.bundled_manifest", "state.db"):
        (watch.home / relpath).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(watch.home / relpath)
    watch.write(SKILL, "edited")
    assert author(watch)[0] == "person or unknown"


def iso(seconds: float = 0.0) -> str:
    return datetime.fromtimestamp(time.time() + seconds, UTC).isoformat()
