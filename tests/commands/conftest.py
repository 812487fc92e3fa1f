"""`hermes ratchet ...` in this process: through the same door the host opens, with its real parser arrangement."""

from __future__ import annotations

import argparse
import io
import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.commands import arguments, entry
from karpathy_self_improve.ratchet import lease
from karpathy_self_improve.ratchet.context import Context, open_context

_PATIENCE_S = 60.0
UNSIGNED = "plugins:\n  enabled: [karpathy-self-improve]\n  entries:\n    karpathy-self-improve: {approval: unsigned}\n"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Ratchet = Callable[..., Done]


@pytest.fixture
def ratchet(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ratchet:
    """``ratchet("show", "1")`` in a fresh home at 80 columns; ``stdin`` is what it can read."""
    monkeypatch.setenv("COLUMNS", "80")
    host_parser = argparse.ArgumentParser(prog="hermes")
    ours = host_parser.add_subparsers(dest="command").add_parser("ratchet")
    entry.add_arguments(ours)
    ours.set_defaults(func=entry.run)

    def run(*words: str, stdin: str = "") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode("utf-8", "surrogateescape"))))
        namespace = host_parser.parse_args(["ratchet", *words])
        with pytest.raises(SystemExit) as ended:
            namespace.func(namespace)
        said = capsys.readouterr()
        return Done(int(ended.value.code or 0), said.out, said.err)

    return run


class Screen(io.StringIO):
    """What is written to a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def on_screen(ratchet: Ratchet, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """``on_screen("show", "1")`` is all that appears on a terminal of 80 columns, colours and all."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    def run(*words: str) -> str:
        screen = Screen()
        with monkeypatch.context() as swapped:
            swapped.setattr(sys, "stdout", screen)
            swapped.setattr(sys, "stderr", screen)
            entry.main(words)
        return screen.getvalue()

    return run


class Terminals:
    """Commands at real terminals, each in a process of its own that need not import everything anew."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("terminal_server.py")
        self._server = subprocess.Popen(
            [sys.executable, "-P", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, *words: str, answers: Sequence[tuple[str, str]] = ()) -> tuple[int, str]:
        """Exit code and screen of a command whose user answers each question as it comes: (its end, what is typed)."""
        ours, theirs = os.openpty()
        asked = {"words": words, "environment": dict(os.environ), "terminal": os.ttyname(theirs)}
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        print(json.dumps(asked), file=self._server.stdin, flush=True)
        screen, left = b"", list(answers)
        while True:
            ready, _, _ = select.select([ours, self._server.stdout], [], [], _PATIENCE_S)
            assert ready, screen
            if ours in ready:
                screen += os.read(ours, 65_536)
            elif self._server.stdout in ready:
                break
            if left and left[0][0] in screen.decode(errors="replace").rpartition("\n")[2]:
                os.write(ours, f"{left.pop(0)[1]}\n".encode())
        code = int(self._server.stdout.readline())
        os.close(ours)
        os.close(theirs)
        assert not left, screen
        return code, screen.decode()

    def close(self) -> None:
        self._server.communicate(timeout=_PATIENCE_S)


@pytest.fixture(scope="session")
def terminals() -> Iterator[Terminals]:
    made = Terminals()
    yield made
    made.close()


@pytest.fixture
def typed(terminals: Terminals, home: Path) -> Callable[..., tuple[int, str]]:
    """``typed("approve", "1", answers=(("Passphrase of ana: ", "..."),))`` at a terminal of its own."""
    return terminals.run


@pytest.fixture(scope="session")
def command_names() -> set[str]:
    """Every command that does something, as typed."""
    return {name for name, _ in arguments.commands()}


@pytest.fixture
def unsigned(home: Path) -> Path:
    """A home whose operator chose unsigned approvals, with a second profile ``coder``."""
    coder = home / "profiles" / "coder"
    coder.mkdir(parents=True)
    for place in (home, coder):
        (place / "config.yaml").write_text(UNSIGNED, encoding="utf-8")
        (place / "SOUL.md").write_text("# Soul\n\nYou help. Be brief.\n\n- Say hello.\n", encoding="utf-8")
    return home


@pytest.fixture
def context(home: Path) -> Iterator[Context]:
    """The services, to arrange what a test begins with and to look at what it left."""
    made = open_context()
    yield made
    made.store.close()


@pytest.fixture
def watched(unsigned: Path, context: Context) -> None:
    """A daemon was heard of just now."""
    lease.acquire(context, "a test's daemon")
