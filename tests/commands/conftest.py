"""`hermes ratchet ...` in this process: through the same door the host opens, with its real parser arrangement."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.commands import arguments, entry
from karpathy_self_improve.ratchet import lease
from karpathy_self_improve.ratchet.context import Context, open_context

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
