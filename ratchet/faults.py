"""Named points at which tests kill the process, to show that nothing is ever half done.

``RATCHET_KILL_AT=<point>`` makes the process end itself there with SIGKILL, as a power cut would.
"""

from __future__ import annotations

import os
import signal
from enum import StrEnum


class Point(StrEnum):
    """Every step of a file operation after which a kill must leave nothing half done, in order."""

    PLANNED = "planned"
    COMMIT_PREPARED = "commit-prepared"
    FOLDER_MADE = "folder-made"
    TEMP_PARTLY_WRITTEN = "temp-partly-written"
    TEMP_WRITTEN = "temp-written"
    LINKED = "linked"
    RENAMED = "renamed"
    SWAPPED = "swapped"
    CHECKED = "checked"
    FILE_RECORDED = "file-recorded"
    INDEX_LOCKED = "index-locked"
    INDEX_PREPARED = "index-prepared"
    REF_MOVED = "ref-moved"
    INDEX_MOVED = "index-moved"
    COMMIT_RECORDED = "commit-recorded"
    PUT_BACK = "put-back"
    STRAY_KEPT = "stray-kept"
    TEMP_REMOVED = "temp-removed"
    RECORDED = "recorded"
    UNDONE = "undone"


def reached(point: Point) -> None:
    """Die here if a test asked for it."""
    if point == os.environ.get("RATCHET_KILL_AT"):
        os.kill(os.getpid(), signal.SIGKILL)
