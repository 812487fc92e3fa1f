"""A reviewer approves on the page, in a real Chromium: with a passphrase it goes through, without one it does not."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from karpathy_self_improve.ratchet import approval, experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context
from karpathy_self_improve.reviewing import changes, keys

PASSPHRASE = "maple orbit cactus violin ladder quartz"
PATIENCE_S = 60.0


class Tab:
    """One tab of the browser, driven through its debugging port."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    def send(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(timeout=PATIENCE_S))
            if answer.get("id") == number:
                return answer["result"]

    def value(self, expression: str) -> Any:
        return self.send("Runtime.evaluate", expression=expression)["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait for something that the page does by itself."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.value(f"Boolean({expression})"):
            assert time.monotonic() < deadline, self.value("document.querySelector('.ksi')?.innerText")
            time.sleep(0.1)

    def click(self, selector: str) -> None:
        self.until(f"document.querySelector('{selector}:not(:disabled)')")
        self.value(f"document.querySelector('{selector}').click()")

    def type(self, selector: str, text: str) -> None:
        self.until(f"document.querySelector('{selector}')")
        self.value(f"document.querySelector('{selector}').focus()")
        self.send("Input.insertText", text=text)

    def says(self, words: str) -> None:
        self.until(f"document.querySelector('.ksi')?.innerText.includes({json.dumps(words)})")


@pytest.fixture
def context(home: Path) -> Iterator[Context]:
    """The services of a home with the reviewer ana and one proposal."""
    opened = open_context()
    _, key = keys.create(opened.data / "keys", "ana", PASSPHRASE)
    changes.set_up(opened.store, key, "ana", "os:ana")
    base = experiments.current_file(opened, "default", "SOUL.md").content
    candidate = experiments.replaced_text(base, "briefly", "very briefly")
    experiments.propose(opened, "default", "SOUL.md", candidate, "", Actor("somebody", "os:somebody"))
    yield opened
    opened.store.close()


@pytest.fixture
def tab(context: Context, chromium: str, dashboard: str, tmp_path: Path) -> Iterator[Tab]:
    """The page of experiment 1."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    flags = ["--headless", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0", *sandbox]
    where = [f"--user-data-dir={tmp_path / 'browser'}", f"{dashboard}/self-improve#/experiments/1"]
    log = tmp_path / "browser.log"
    with log.open("wb") as out:
        browser = subprocess.Popen([chromium, *flags, *where], stdout=out, stderr=out)
    try:
        port = found(log, r"DevTools listening on ws://127\.0\.0\.1:(\d+)/")
        with connect(address(int(port)), max_size=None) as connection:
            yield Tab(connection)
    finally:
        browser.terminate()
        browser.wait(timeout=30)


def found(log: Path, pattern: str) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if match := re.search(pattern, log.read_text(errors="replace")):
            return match[1]
        time.sleep(0.1)
    raise AssertionError(log.read_text(errors="replace"))


def address(port: int) -> str:
    from urllib.request import urlopen

    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
            pages = [one for one in json.load(answer) if one["type"] == "page"]
        if pages:
            return str(pages[0]["webSocketDebuggerUrl"])
        time.sleep(0.1)
    raise AssertionError("no tab was opened")


def test_an_approval_on_the_page_is_signed_with_the_passphrase(tab: Tab, context: Context) -> None:
    tab.click(".ksi-go-approve")
    tab.type("#ksi-words", "a typo")
    assert tab.value("document.querySelector('.ksi-ask [type=submit]').disabled")  # not without a passphrase
    assert tab.value("document.querySelector('#ksi-reviewer').value") == "ana"
    tab.type("#ksi-passphrase", "kettle harbor mosaic tundra pebble ribbon")
    tab.click(".ksi-ask [type=submit]")
    tab.says("not the passphrase")
    assert tab.value("document.querySelector('#ksi-passphrase').value") == ""
    tab.type("#ksi-passphrase", PASSPHRASE)
    tab.click(".ksi-ask [type=submit]")
    tab.says("approved (signed): a typo")
    with context.store.read() as tx:
        found = approval.latest(tx, 1)
    assert found is not None
    assert (found.mode, found.actor) == ("signed", "ana")
    assert PASSPHRASE not in tab.value("document.documentElement.outerHTML")
