"""Every record counts once, however the log is rotated, cut, copied or deleted between two looks at it."""

from __future__ import annotations

import logging
import os
import random
import shutil
from datetime import UTC, datetime, timedelta
from logging.handlers import RotatingFileHandler
from pathlib import Path

import pytest

from karpathy_self_improve.observation.log_scan import Cursor, LogScan, scan

HOST_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Watched:
    """A log that is written to and looked at in turn."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "agent.log"
        self.cursors: tuple[Cursor, ...] = ()
        self.written = 0

    def record(self) -> str:
        self.written += 1
        moment = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(milliseconds=self.written)
        stamp = moment.replace(tzinfo=None).isoformat(" ", "milliseconds").replace(".", ",")
        return f"{stamp} ERROR a.b: number {self.written}\n"

    def write(self, records: int = 1, path: Path | None = None) -> None:
        with (path or self.log).open("a") as file:
            file.writelines([self.record() for _ in range(records)])

    def look(self) -> LogScan:
        found = scan(self.folder, self.cursors)
        self.cursors = found.cursors
        return found

    def new(self) -> int:
        """How many records were not there at the last look."""
        counts = self.look().counts
        return counts.total.errors if counts else 0

    def rotate(self, kept: int = 3) -> None:
        """As the host does it, without opening a new log yet."""
        for number in range(kept - 1, 0, -1):
            if self.older(number).exists():
                self.older(number).replace(self.older(number + 1))
        if self.log.exists():
            self.log.replace(self.older(1))

    def copy_and_truncate(self) -> None:
        """As logrotate does it when asked to."""
        shutil.copy2(self.log, self.older(1))
        os.truncate(self.log, 0)

    def older(self, number: int) -> Path:
        return self.folder / f"agent.log.{number}"


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_only_what_was_added_is_new(watched: Watched) -> None:
    watched.write(20)
    assert (watched.new(), watched.new()) == (20, 0)
    watched.write(3)
    before = watched.cursors[0].offset
    found = watched.look()
    assert found.counts is not None
    assert found.counts.total.errors == 3
    assert (found.from_offset, found.to_offset) == (before, watched.log.stat().st_size)
    assert found.bytes_read == watched.log.stat().st_size - before


def test_the_first_look_takes_in_what_was_rotated_away(watched: Watched) -> None:
    watched.write(5, watched.older(2))
    watched.write(4, watched.older(1))
    watched.write(3)
    assert watched.new() == 12


def test_a_rotated_log_is_read_to_its_end(watched: Watched) -> None:
    watched.write(20)
    watched.new()
    watched.write(2)
    watched.rotate()
    assert (watched.new(), watched.new()) == (2, 0)
    watched.write(3)
    assert (watched.new(), watched.new()) == (3, 0)


def test_several_rotations_between_two_looks_lose_nothing(watched: Watched) -> None:
    watched.write(20)
    watched.new()
    for records in (1, 2, 4):
        watched.write(records)
        watched.rotate()
    watched.write(8)
    assert (watched.new(), watched.new()) == (15, 0)


def test_when_the_log_read_last_was_rotated_away_the_rest_is_new(watched: Watched) -> None:
    watched.write(20)
    watched.new()
    for _ in range(4):
        watched.rotate()
        watched.write(30)
    assert (watched.new(), watched.new()) == (120, 0)


def test_what_another_process_still_writes_to_a_rotated_log_counts(watched: Watched) -> None:
    watched.write(20)
    watched.rotate()
    watched.write(1)
    assert watched.new() == 21
    watched.write(2, watched.older(1))
    assert (watched.new(), watched.new()) == (2, 0)


def test_a_new_log_with_the_same_text_is_a_new_log(watched: Watched) -> None:
    watched.write(20)
    watched.new()
    watched.rotate()
    shutil.copy2(watched.older(1), watched.log)
    assert (watched.new(), watched.new()) == (20, 0)
    watched.write(3)
    assert watched.new() == 3
    watched.write(1, watched.older(1))
    assert (watched.new(), watched.new()) == (1, 0)


@pytest.mark.parametrize("records", [1, 19, 20, 50])
def test_an_emptied_log_is_read_from_its_start(watched: Watched, records: int) -> None:
    watched.write(20)
    watched.new()
    os.truncate(watched.log, 0)
    watched.write(records)
    assert (watched.new(), watched.new()) == (records, 0)


def test_a_log_cut_short_goes_on_from_where_it_was_cut(watched: Watched) -> None:
    watched.write(20)
    watched.new()
    os.truncate(watched.log, watched.log.stat().st_size // 2)
    assert watched.new() == 0
    with watched.log.open("a") as file:
        file.write("\n")
    watched.write(4)
    assert (watched.new(), watched.new()) == (4, 0)


@pytest.mark.parametrize("records", [0, 3, 50])
def test_a_log_copied_and_emptied_is_read_to_the_end_of_the_copy(watched: Watched, records: int) -> None:
    watched.write(20)
    watched.new()
    watched.write(2)
    watched.copy_and_truncate()
    watched.write(records)
    assert (watched.new(), watched.new()) == (2 + records, 0)


def test_a_copy_counts_nothing_twice_whenever_one_looks(watched: Watched) -> None:
    watched.write(40)
    watched.new()
    watched.write(5)
    content = watched.log.read_bytes()
    watched.older(1).write_bytes(content[: len(content) // 2])
    assert watched.new() == 5
    watched.older(1).write_bytes(content)
    assert watched.new() == 0
    os.truncate(watched.log, 0)
    assert watched.new() == 0
    watched.write(1)
    assert (watched.new(), watched.new()) == (1, 0)


def test_a_deleted_log_takes_nothing_along_but_itself(watched: Watched) -> None:
    watched.write(20)
    watched.rotate()
    watched.write(20)
    watched.new()
    watched.log.unlink()
    found = watched.look()
    assert (found.from_offset, found.to_offset, found.bytes_read) == (None, None, 0)
    watched.write(6)
    assert (watched.new(), watched.new()) == (6, 0)


def test_logs_that_were_away_for_a_while_are_not_counted_again(watched: Watched) -> None:
    watched.write(20)
    watched.rotate()
    watched.write(20)
    watched.new()
    watched.folder.rename(watched.folder.with_name("away"))
    assert watched.look().counts is None
    watched.folder.with_name("away").rename(watched.folder)
    assert watched.new() == 0


@pytest.mark.parametrize("before", [0, 1, 3, 50])
def test_a_log_that_grows_while_its_beginning_is_looked_at(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    """What was counted must also be recognised by the next look, however short the file was when this one began."""
    watched.log.touch()
    watched.write(before)
    read = os.pread

    def read_then_grow(*asked: int) -> bytes:
        monkeypatch.setattr(os, "pread", read)
        found = read(*asked)
        watched.write(2)
        return found

    monkeypatch.setattr(os, "pread", read_then_grow)
    assert [watched.new(), watched.new()] == [before + 2, 0]
    watched.write(1)
    assert watched.new() == 1


@pytest.mark.parametrize("length", [0, 300_000])
def test_an_unfinished_line_waits_until_it_is_finished(watched: Watched, length: int) -> None:
    watched.write(5)
    assert watched.new() == 5
    record, whole = watched.record().strip() + "x" * length + "\n", watched.log.stat().st_size
    for part in (record[:10], record[10:30], record[30:-1]):
        with watched.log.open("a") as file:
            file.write(part)
        found = watched.look()
        assert (found.to_offset, found.bytes_read) == (whole, 0)
    with watched.log.open("a") as file:
        file.write("\n")
    assert (watched.new(), watched.new()) == (1, 0)


def test_a_record_that_a_crash_cut_short_counts_once_its_log_is_closed(watched: Watched) -> None:
    watched.log.write_text(watched.record().strip())
    assert watched.new() == 0
    watched.rotate()
    assert (watched.new(), watched.new()) == (1, 0)


@pytest.mark.parametrize("cut", [10, 30, -1])
def test_a_line_finished_after_its_log_was_rotated_counts_once(watched: Watched, cut: int) -> None:
    watched.write(5)
    record = watched.record()
    with watched.log.open("a") as file:
        file.write(record[:cut])
        file.flush()
        assert watched.new() == 5
        watched.rotate()
        watched.write(2)
        found = watched.new()
        file.write(record[cut:])
    assert found + watched.new() == 3
    assert watched.new() == 0


def test_the_hosts_own_way_to_rotate_loses_nothing(watched: Watched) -> None:
    """The handler the host builds on, rotating every few records, looked at every so often."""
    handler = RotatingFileHandler(watched.log, maxBytes=2000, backupCount=40)
    handler.setFormatter(logging.Formatter(HOST_FORMAT))
    found = 0
    for number in range(600):
        handler.handle(logging.makeLogRecord({"name": "a.b", "levelname": "ERROR", "msg": f"number {number}"}))
        if number % 7 == 0:
            found += watched.new()
    handler.close()
    assert watched.older(10).exists()
    assert found + watched.new() == 600


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_in_whatever_order_each_record_counts_once(watched: Watched, seed: int) -> None:
    dice = random.Random(seed)
    found = 0
    watched.write()
    for _ in range(60):
        action = dice.choice(("write", "write", "look", "rotate", "copy", "late"))
        if action == "write":
            watched.write(dice.randrange(1, 30))
        elif action == "look":
            found += watched.new()
        elif action == "late" and watched.older(1).exists():
            watched.write(1, watched.older(1))
        elif action in ("rotate", "copy"):
            found += watched.new() if watched.older(3).exists() else 0  # before the oldest one goes
            if action == "copy" and watched.log.exists():
                for number in (2, 1):
                    if watched.older(number).exists():
                        watched.older(number).replace(watched.older(number + 1))
                watched.copy_and_truncate()
            else:
                watched.rotate()
    assert found + watched.new() == watched.written
    assert watched.new() == 0
