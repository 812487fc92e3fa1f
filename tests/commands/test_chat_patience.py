"""A chat's command never holds up the process that serves the chat: not its loop, not its end, not its other chats."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from karpathy_self_improve.commands.chat import patience
from karpathy_self_improve.commands.chat.patience import in_time

ENDS_WHILE_IT_WORKS = """
import asyncio, threading
from karpathy_self_improve.commands.chat import patience as chat_patience
chat_patience.PATIENCE_S = 0.01
print(asyncio.run(chat_patience.in_time(lambda: str(threading.Event().wait()))))
"""


def test_the_loop_goes_on_meanwhile() -> None:
    go = threading.Event()

    async def chats() -> str:
        slow = asyncio.create_task(in_time(lambda: str(go.wait(60))))
        await asyncio.sleep(0)
        assert await in_time(lambda: "quick") == "quick"
        assert not slow.done()
        go.set()
        return await slow

    assert asyncio.run(chats()) == "True"


def test_after_a_while_it_says_so_and_works_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE_S", 0.01)
    go, ended = threading.Event(), threading.Event()

    def work() -> str:
        go.wait(60)
        ended.set()
        return ""

    assert asyncio.run(in_time(work)).startswith("Still working on this one")
    go.set()
    assert ended.wait(60)


def test_a_process_ends_although_a_command_does_not() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", ENDS_WHILE_IT_WORKS], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout[:13]) == (0, "Still working"), done.stderr


def test_a_flood_of_commands_does_not_become_a_flood_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_free", threading.BoundedSemaphore(2))
    go = threading.Event()

    async def flood() -> list[str]:
        waiting = [asyncio.create_task(in_time(lambda: str(go.wait(60)))) for _ in range(5)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        go.set()
        return await asyncio.gather(*waiting)

    answers = asyncio.run(flood())
    assert answers == ["True"] * 2 + ["Too many commands of chats are being carried out. Try again in a moment."] * 3
    assert asyncio.run(in_time(lambda: "free again")) == "free again"
