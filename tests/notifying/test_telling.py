"""Each event is told once to each target; a flood becomes one line; a target that fails hurts nobody else."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.errors import SettingsInvalid
from karpathy_self_improve.notifying import delivery, notifier

REVERTED, CHANGED = "experiment.reverted", "file.external_change"


def test_an_event_is_told_once(telling: Any) -> None:
    telling.configure(telling.command())
    telling.happen(REVERTED, experiment=7)
    telling.round()
    telling.round()
    (line,) = telling.told()
    assert "Experiment 7 of profile default was taken back." in line


def test_what_happened_before_a_target_was_there_is_not_told(telling: Any) -> None:
    telling.happen(REVERTED, experiment=1)
    telling.configure(telling.command())
    telling.round()
    assert telling.told() == []


def test_a_target_that_was_away_begins_anew(telling: Any) -> None:
    telling.configure(telling.command())
    telling.configure()
    telling.happen(REVERTED, experiment=1)
    telling.configure(telling.command())
    telling.round()
    assert telling.told() == []


def test_other_events_and_those_not_chosen_are_not_told(telling: Any) -> None:
    telling.configure(telling.command(), events=[REVERTED])
    for kind in ("experiment.proposed", "daemon.started", "window.verified", CHANGED):
        telling.happen(kind)
    telling.round()
    assert telling.told() == []


def test_every_target_is_told(telling: Any, hook: Any) -> None:
    telling.configure(telling.command(), {"kind": "webhook", "url": hook.url})
    telling.happen("window.inconclusive", "work", 3)
    telling.round()
    assert len(telling.told()) == 1
    (posted,) = hook.received
    assert (posted["event"], posted["profile"], posted["experiment_id"]) == ("window.inconclusive", "work", 3)
    assert posted["text"] == telling.told()[0]


def test_the_same_target_twice_is_told_once(telling: Any) -> None:
    telling.configure(telling.command(), telling.command())
    telling.happen(REVERTED, experiment=7)
    telling.round()
    assert len(telling.told()) == 1


def test_a_flood_becomes_one_line_and_hides_nothing(telling: Any) -> None:
    telling.configure(telling.command())
    for _ in range(400):
        telling.happen(CHANGED)
    telling.happen(REVERTED, experiment=9)
    telling.round()
    (line,) = telling.told()
    assert "400 x file changed without an experiment" in line
    assert "1 x taken back (9)" in line


def test_a_slow_flood_is_held_back_and_summed_up(telling: Any) -> None:
    telling.configure(telling.command(), per_hour=20)
    for number in range(1, 31):
        telling.happen(REVERTED, experiment=number)
        telling.round()
    assert len(telling.told()) == 5
    assert telling.standing()[0].waiting == 25
    telling.later()
    telling.round()
    assert "25 x taken back" in telling.told()[-1]
    assert telling.standing()[0].waiting == 0


def test_time_alone_gives_the_allowance_back(telling: Any) -> None:
    telling.configure(telling.command(), per_hour=1)
    for _ in range(2):
        telling.happen(REVERTED, experiment=1)
        telling.round()
    assert len(telling.told()) == 1
    with telling.context.store.write() as tx:
        tx.exec_driver_sql("UPDATE notify_cursors SET allowance_at = '2020-01-01T00:00:00.000000+00:00'")
    telling.round()
    assert len(telling.told()) == 2


def test_a_profile_that_keeps_failing_is_told_of_less_and_less(telling: Any) -> None:
    telling.configure(telling.command())
    for failures in range(1, 41):
        telling.later()
        telling.happen("daemon.failure", failures=failures)
        telling.round()
    assert len(telling.told()) == 6


def test_a_failure_is_tried_again_later_and_nothing_is_lost(telling: Any, hook: Any) -> None:
    telling.configure({"kind": "webhook", "url": hook.url})
    hook.status = 503
    telling.happen(REVERTED, experiment=7)
    telling.round()
    telling.round()
    assert len(hook.received) == 1
    (state,) = telling.standing()
    assert (state.failures, state.waiting, state.last_error) == (1, 1, "The webhook answered with status 503.")
    assert [event.payload["error"] for event in telling.events("notify.failed")] == [state.last_error]
    hook.status = 200
    telling.later()
    telling.round()
    assert [posted["experiment_id"] for posted in hook.received] == [7, 7]
    assert telling.standing()[0].failures == 0


def test_pauses_between_attempts_double_up_to_an_hour(telling: Any) -> None:
    telling.configure(telling.command("/no/such/program"))
    telling.happen(REVERTED, experiment=7)
    pauses = []
    for _ in range(10):
        telling.round()
        pauses.append(pause_of(telling))
        telling.later()
    assert pauses == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert len(telling.events("notify.failed")) == 1


def test_a_target_that_hangs_keeps_nobody_waiting(telling: Any, hook: Any) -> None:
    telling.configure({"kind": "webhook", "url": hook.url}, telling.command(), timeout_s=60)
    telling.happen(REVERTED, experiment=7)
    hook.free.clear()
    telling.notifier.poke(telling.context)
    hanging = next(iter(telling.notifier._at_work.values()))
    for _ in range(5):
        telling.notifier.poke(telling.context)
        assert hanging in telling.notifier._at_work.values()
    assert eventually(lambda: telling.told() and hook.received)
    assert telling.standing()[0].sent == 0
    hook.free.set()
    assert telling.notifier.finish(20)
    assert (len(hook.received), len(telling.told())) == (1, 1)


def test_two_processes_tell_an_event_once(telling: Any) -> None:
    telling.configure(telling.command())
    telling.happen(REVERTED, experiment=7)
    (target,) = telling.context.settings.notify.targets
    with delivery._alone(telling.context, target) as is_alone:
        assert is_alone
        telling.round()
        assert telling.told() == []
    telling.round()
    assert len(telling.told()) == 1


def test_a_process_killed_after_a_delivery_tells_again_rather_than_never(telling: Any, monkeypatch: Any) -> None:
    telling.configure(telling.command())
    telling.happen(REVERTED, experiment=7)

    def killed(*_: object) -> None:
        raise OSError("killed")

    monkeypatch.setattr(delivery.cursors, "put", killed)
    telling.round()
    monkeypatch.undo()
    monkeypatch.setenv("HERMES_HOME", str(telling.home))
    telling.round()
    assert len(telling.told()) == 2


def test_a_failure_nobody_foresaw_is_written_down_too(telling: Any, monkeypatch: Any) -> None:
    telling.configure(telling.command())
    telling.happen(REVERTED, experiment=7)
    monkeypatch.setattr(delivery, "send", lambda *_: {}["nothing"])
    telling.round()
    assert telling.standing()[0].failures == 1


def test_a_strange_row_silences_nobody(telling: Any) -> None:
    telling.configure(telling.command())
    with telling.context.store.write() as tx:
        insert = "INSERT INTO events (created_at, kind, profile, experiment_id, payload) VALUES ('x', ?, ?, ?, ?)"
        for kind in (REVERTED, "daemon.failure"):
            tx.exec_driver_sql(insert, (kind, "a\nb", "Visit https://evil.example", "{no json"))
    telling.happen(REVERTED, experiment=7)
    telling.round()
    assert len(telling.told()) == 3
    assert "evil" not in "".join(telling.told())


def test_nothing_an_event_says_is_told(telling: Any) -> None:
    telling.configure(telling.command())
    telling.happen(REVERTED, experiment=7, reason="swordfish", actor="swordfish", error="swordfish")
    telling.happen(CHANGED, relpath="skills/swordfish/SKILL.md", facts={"name": "swordfish"})
    telling.round()
    assert len(telling.told()) == 2
    assert "swordfish" not in "".join(telling.told())


def test_a_long_quiet_stretch_is_read_once(telling: Any) -> None:
    telling.configure(telling.command())
    with telling.context.store.write() as tx:
        tx.exec_driver_sql(
            "INSERT INTO events (created_at, kind, payload) WITH RECURSIVE n(i) AS"
            " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT 'x', 'job.queued', '{}' FROM n"
        )
    telling.round()
    with telling.context.store.read() as tx:
        behind = "SELECT (SELECT max(id) FROM events) - event_id FROM notify_cursors"
        assert tx.exec_driver_sql(behind).scalar_one() == 0
    telling.happen(REVERTED, experiment=7)
    telling.round()
    assert len(telling.told()) == 1


def test_a_command_gets_its_words_as_they_are(telling: Any, tmp_path: Path) -> None:
    """No shell reads them."""
    script = tmp_path / "script.py"
    script.write_text("import sys; open(sys.argv[1], 'w').write(repr(sys.argv[2:]))")
    words = ["$(touch sprung)", "; touch sprung", "`id`", "a b", "*"]
    telling.configure(telling.command(sys.executable, str(script), str(tmp_path / "out"), *words))
    telling.happen(REVERTED, experiment=7)
    telling.round()
    assert (tmp_path / "out").read_text() == repr(words)
    assert not list(tmp_path.rglob("sprung"))


def test_a_command_that_takes_too_long_ends_with_all_it_started(telling: Any, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    telling.configure(telling.command("/bin/sh", "-c", f"sleep 60 & echo $! $$ > {pids}; wait"), timeout_s=1)
    telling.happen(REVERTED, experiment=7)
    telling.round()
    assert "longer than 1 s" in telling.standing()[0].last_error
    assert eventually(lambda: not any(is_running(int(pid)) for pid in pids.read_text().split()))


@pytest.mark.parametrize("script", ["exec 0<&-; exit 0", "yes | head -c 3000000; yes | head -c 3000000 >&2"])
def test_a_command_that_does_not_listen_or_talks_a_lot_is_no_problem(telling: Any, script: str) -> None:
    telling.configure(telling.command("/bin/sh", "-c", script))
    telling.happen(REVERTED, experiment=7)
    telling.round()
    assert telling.standing()[0].sent == 1


@pytest.mark.parametrize("argv", [["/no/such/program"], ["/"], ["a\0b"], ["/bin/sh", "-c", "exit 3"]])
def test_a_command_that_cannot_work_is_a_failure(telling: Any, argv: list[str]) -> None:
    telling.configure(telling.command(*argv))
    telling.happen(REVERTED, experiment=7)
    telling.round()
    assert telling.standing()[0].failures == 1


def test_a_test_message_says_what_works(telling: Any, hook: Any) -> None:
    telling.configure(telling.command(), telling.command("/no/such/program"), {"kind": "webhook", "url": hook.url})
    trials = notifier.try_targets(telling.context)
    assert [trial.error is None for trial in trials] == [True, False, True]
    assert "this is a test" in telling.told()[0]


def test_everybody_is_told_before_a_short_process_ends(telling: Any) -> None:
    telling.configure(telling.command())
    telling.happen(REVERTED, experiment=7)
    (state,) = notifier.tell_now(telling.context)
    assert (state.sent, state.waiting, len(telling.told())) == (1, 0, 1)


@pytest.mark.parametrize(
    "target",
    [
        {"kind": "hermes", "target": "--list"},
        {"kind": "hermes", "target": "telegram:1 --file=/etc/passwd"},
        {"kind": "hermes", "target": "telegram\n"},
        {"kind": "command", "argv": []},
        {"kind": "command", "argv": "notify-send hi"},
        {"kind": "carrier pigeon"},
        {"kind": "webhook"},
    ],
)
def test_a_target_that_makes_no_sense_is_refused_by_name(telling: Any, target: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid, match=r"notify\.targets"):
        telling.configure(target)


def test_no_secret_of_an_address_is_stored_or_shown(telling: Any, hook: Any) -> None:
    secret = "T0KEN" + "in" + "the" + "path"
    hook.status = 500
    telling.configure({"kind": "webhook", "url": f"{hook.url}/{secret}?key={secret}"})
    telling.happen(REVERTED, experiment=7)
    telling.round()
    assert telling.standing()[0].failures == 1
    assert secret not in repr(telling.standing())
    telling.context.store.close()
    stored = b"".join(path.read_bytes() for path in (telling.home / "ratchet").iterdir() if path.is_file())
    assert secret.encode() not in stored
    telling.context = type(telling)(telling.home).context


def pause_of(telling: Any) -> int:
    from karpathy_self_improve import clock

    (state,) = telling.standing()
    return round((clock.parse(state.retry_at) - clock.now()).total_seconds())


def eventually(is_so: Any) -> bool:
    deadline = time.monotonic() + 15
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_running(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")
