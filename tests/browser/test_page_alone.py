"""Our page on our own server, in a real Chromium: the link opens it, and it says what is wrong with the house."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from karpathy_self_improve.ratchet import experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import open_context

PLUGIN = "karpathy-self-improve"
UNSIGNED = f"plugins:\n  enabled: [{PLUGIN}]\n  entries:\n    {PLUGIN}: {{approval: unsigned}}\n"
SOMEBODY = Actor("somebody", "os:somebody")


class Alone:
    """``hermes ratchet serve`` on a home with unsigned approvals and no daemon."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.address = ""

    @property
    def link(self) -> str:
        token = (self.root / "server-token").read_text(encoding="utf-8").strip()
        return f"{self.address}/#token={token}"

    def database(self, content: bytes | None) -> None:
        """Put another database in the place of the one that is there."""
        data = self.root / "ratchet"
        aside = Path(tempfile.mkdtemp(dir=data))
        for file in list(data.glob("ratchet.db*")):
            file.rename(aside / file.name)
        if content is not None:
            (data / "ratchet.db").write_bytes(content)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, serve: Any) -> Iterator[Alone]:
    root = tmp_path_factory.mktemp("alone") / "hermes"
    root.mkdir()
    (root / "config.yaml").write_text(UNSIGNED, encoding="utf-8")
    (root / "SOUL.md").write_text("# Soul\n\nYou answer briefly.\n", encoding="utf-8")
    made = Alone(root)
    words = ("ratchet", "serve", "--port", "0", "--token-file", str(root / "server-token"))
    with serve(root, r"Listening on (\S+)/ ", *words) as found:
        made.address = found[1]
        yield made


@pytest.fixture
def alone(server: Alone, monkeypatch: pytest.MonkeyPatch) -> Alone:
    monkeypatch.setenv("HERMES_HOME", str(server.root))
    return server


@pytest.fixture
def proposal(alone: Alone) -> int:
    context = open_context()
    base = experiments.current_file(context, "default", "SOUL.md").content
    candidate = experiments.replaced_text(base, "briefly", "very briefly")
    made = experiments.propose(context, "default", "SOUL.md", candidate, "answers ran long", SOMEBODY)
    context.store.close()
    return made.id


def test_the_link_with_the_token_opens_the_page_and_a_change_is_approved(
    alone: Alone, proposal: int, fresh_page: Page
) -> None:
    complaints: list[str] = []
    fresh_page.on("console", lambda message: complaints.append(message.text))
    fresh_page.goto(alone.link)
    for words in ("SOUL.md", "proposed", "approval: unsigned.", "Nobody is watching."):
        expect(fresh_page.locator(".ksi")).to_contain_text(words)
    fresh_page.get_by_role("link", name="answers ran long").first.click()
    fresh_page.get_by_role("button", name="Approve unmeasured").click()
    fresh_page.get_by_label("Why approve it").fill("a typo")
    fresh_page.get_by_role("button", name="Approve unmeasured").click()
    expect(fresh_page.get_by_label("What happened")).to_contain_text("server")
    expect(fresh_page.get_by_label("What happened")).to_contain_text("approved (unsigned): a typo")
    assert alone.link.partition("=")[2] not in fresh_page.content() + fresh_page.url
    assert [one for one in complaints if "Content Security Policy" in one] == []
    for view, words in {"profiles": "default", "trust": "Approvals are not signed here."}.items():
        fresh_page.goto(f"{alone.address}/#/{view}")
        expect(fresh_page.locator(".ksi-view")).to_contain_text(words)


@pytest.mark.parametrize("path", ["/", "/self-improve", f"/#token={'x' * 43}"])
def test_without_the_token_the_page_asks_for_it(alone: Alone, proposal: int, fresh_page: Page, path: str) -> None:
    fresh_page.goto(f"{alone.address}{path}")
    expect(fresh_page.get_by_text("This server asks for its token.")).to_be_visible()
    expect(fresh_page.get_by_role("alert")).to_have_count(int("token" in path))
    assert "answers ran long" not in fresh_page.content()


def test_a_wrong_token_is_said_to_be_wrong_and_not_kept(alone: Alone, fresh_page: Page) -> None:
    fresh_page.goto(alone.address)
    fresh_page.get_by_label("token").fill("y" * 43)
    fresh_page.get_by_role("button", name="Open").click()
    expect(fresh_page.get_by_role("alert")).to_contain_text("That was not the token")
    assert fresh_page.evaluate("sessionStorage.length") == 0
    fresh_page.get_by_label("token").fill(alone.link.partition("=")[2])
    fresh_page.get_by_role("button", name="Open").click()
    expect(fresh_page.get_by_text("Nobody is watching.")).to_be_visible()


def test_an_empty_list_says_how_to_begin(alone: Alone, fresh_page: Page) -> None:
    alone.database(None)
    fresh_page.goto(alone.link)
    expect(fresh_page.get_by_text("No experiments yet.")).to_be_visible()
    command = 'hermes ratchet new --target default --file SOUL.md --replace "old words" "new words"'
    expect(fresh_page.get_by_text(command)).to_be_visible()


def test_a_damaged_database_is_said_on_the_page(alone: Alone, fresh_page: Page) -> None:
    alone.database(b"this is no database at all, " * 40)
    fresh_page.goto(alone.link)
    expect(fresh_page.get_by_role("alert")).to_contain_text("is damaged")
    alone.database(None)
