"""A reviewer decides on the page, in a real Chromium: the words come first, and the passphrase signs exactly those."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route, expect

from karpathy_self_improve import schema
from karpathy_self_improve.ratchet import approval, events, experiments
from karpathy_self_improve.ratchet.context import Context

PASSPHRASE = "maple orbit cactus violin ladder quartz"
OTHER = "kettle harbor mosaic tundra pebble ribbon"
CHALLENGE = "**/reviewers/challenge"


def ask(page: Page, what: str, reason: str | None = None) -> None:
    """Choose a decision, say why, and have what is signed shown."""
    page.get_by_role("button", name=what, exact=True).click()
    if reason:
        page.locator(".ksi-reason").fill(reason)
    page.get_by_role("button", name="Show what is signed").click()


def sign(page: Page, passphrase: str = PASSPHRASE) -> None:
    page.get_by_label("Passphrase").fill(passphrase)
    page.get_by_role("button", name=re.compile("^Sign: ")).click()


def signed(context: Context, number: int) -> dict[str, Any]:
    """What was signed for an experiment last."""
    table = schema.reviewing.signatures
    with context.store.read() as tx:
        query = table.select().where(table.c.experiment_id == number).order_by(table.c.id.desc())
        found: dict[str, Any] = json.loads(tx.execute(query).first().payload)
    return found


def test_an_approval_shows_its_words_and_signs_exactly_those(house: Any, page: Page) -> None:
    number = house.proposed("signer")
    page.goto(f"{house.address}#/experiments/{number}")
    page.get_by_role("button", name="Approve unmeasured").click()
    expect(page.get_by_role("button", name="Show what is signed")).to_be_disabled()  # not without a reason
    page.locator(".ksi-reason").fill("a typo")
    page.get_by_role("button", name="Show what is signed").click()
    words = page.get_by_label("what is signed")
    expect(words).to_contain_text(f"Approve experiment {number} whatever its evaluation says: signer/SOUL.md")
    expect(words).to_contain_text("+You answer very briefly.")
    expect(words).to_contain_text("Live window: WARNING: Nothing can be tested here")
    expect(page.get_by_role("button", name=re.compile("^Sign: "))).to_be_disabled()  # not without a passphrase
    sign(page, OTHER)
    expect(page.get_by_role("alert")).to_contain_text("not the passphrase")
    expect(page.get_by_label("Passphrase")).to_have_value("")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Approve unmeasured")).to_be_focused()
    with page.expect_response(CHALLENGE) as answer:
        ask(page, "Approve unmeasured", "a typo")
    sign(page)
    expect(page.get_by_label("What happened")).to_contain_text("approved (signed): a typo")
    with house.context.store.read() as tx:
        found = approval.latest(tx, number)
    assert found is not None
    assert (found.mode, found.actor) == ("signed", "ana")
    assert signed(house.context, number) == json.loads(answer.value.json()["payload"])
    assert PASSPHRASE not in page.content()


def test_approve_is_offered_only_for_what_passed_and_a_refusal_names_the_button(house: Any, page: Page) -> None:
    number = house.proposed("weak")
    house.report(number, verdict="underpowered")
    page.goto(f"{house.address}#/experiments/{number}")
    page.get_by_role("button", name="Approve all the same").click()
    expect(page.get_by_label("The verdict of its evaluation: underpowered.")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Approve all the same")).to_be_focused()
    expect(page.get_by_role("button", name="Approve", exact=True)).to_have_count(0)
    house.report(number)  # its report, not this verdict, says whether it passed
    page.reload()
    page.get_by_role("button", name="Approve", exact=True).click()
    page.get_by_role("button", name="Show what is signed").click()
    expect(page.get_by_role("alert")).to_contain_text('choose "Approve all the same" and give a reason')
    expect(page.get_by_role("alert")).not_to_contain_text("--")
    page.keyboard.press("Escape")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_role("button", name="Approve", exact=True)).to_be_focused()


def test_what_has_changed_since_it_was_shown_is_not_signed(house: Any, page: Page) -> None:
    number = house.proposed("overtaken")
    page.goto(f"{house.address}#/experiments/{number}")
    ask(page, "Approve unmeasured", "a typo")
    expect(page.get_by_label("what is signed")).to_contain_text("Evaluation: none of exactly these bytes")
    house.report(number)
    sign(page)
    expect(page.get_by_role("alert")).to_contain_text("What was signed is not what would happen now")
    expect(page.get_by_label("Passphrase")).to_have_count(0)  # it has to be looked at again,
    expect(page.locator(".ksi-reason")).to_have_value("a typo")  # and what was written is still there
    assert experiments.get(house.context, number).state == "proposed"


def test_words_about_another_candidate_than_the_one_on_the_page_cannot_be_signed(house: Any, page: Page) -> None:
    number = house.proposed("misled")

    def about_another(route: Route) -> None:
        answer = route.fetch()
        payload = {**json.loads(answer.json()["payload"]), "candidate_sha256": "0" * 64}
        route.fulfill(response=answer, json={**answer.json(), "payload": json.dumps(payload)})

    page.route(CHALLENGE, about_another)
    page.goto(f"{house.address}#/experiments/{number}")
    ask(page, "Approve unmeasured", "a typo")
    expect(page.get_by_role("alert")).to_contain_text("not the change shown here")
    expect(page.get_by_label("Passphrase")).to_have_count(0)


def test_an_inconclusive_window_is_decided(house: Any, page: Page) -> None:
    number = house.inconclusive("unclear")
    page.goto(f"{house.address}#/experiments/{number}")
    expect(page.get_by_text("A person decides.", exact=True)).to_be_visible()
    window = page.get_by_role("region", name="Live window")
    for words in ("12 sessions counted", "A person decides", "Compared with the newest 12 sessions"):
        expect(window).to_contain_text(words)
    ask(page, "Keep it", "it reads better")
    expect(page.get_by_label("what is signed")).to_contain_text(f"Decide the unclear window of experiment {number}")
    sign(page)
    expect(page.get_by_label("What happened")).to_contain_text("by a person (signed): it reads better")
    assert experiments.get(house.context, number).state == "verified"
    assert signed(house.context, number)["purpose"] == "decide"


def test_an_edit_is_written_over_only_by_a_signed_force(house: Any, page: Page) -> None:
    number = house.approved("edited")
    soul: Path = house.root / "profiles" / "edited" / "SOUL.md"
    page.goto(f"{house.address}#/experiments/{number}")
    apply = page.get_by_role("button", name="Apply", exact=True)
    expect(apply).to_be_visible()
    soul.write_text("Mine.\n", encoding="utf-8")
    apply.click()
    expect(page.get_by_role("alert")).to_contain_text("SOUL.md")
    assert soul.read_text(encoding="utf-8") == "Mine.\n"
    ask(page, "Apply over the edit", "it was a slip")
    expect(page.get_by_label("what is signed")).to_contain_text("-Mine.")
    sign(page)
    expect(page.get_by_role("button", name="Revert", exact=True)).to_be_visible()
    assert "very briefly" in soul.read_text(encoding="utf-8")


def test_a_pause_ends_and_held_out_scenarios_open_by_signature(house: Any, page: Page) -> None:
    house.profile("careful")
    house.scenario("careful", "secret", holdout=1)
    page.goto(f"{house.address}#/profiles/careful")
    page.get_by_role("button", name="Pause").click()
    page.get_by_label("Why is it paused?").fill("a look around")
    page.get_by_role("button", name="Pause").click()
    ask(page, "Resume")
    expect(page.get_by_label("what is signed")).to_contain_text("Let changes of profile 'careful' go on")
    sign(page)
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.get_by_text("secret").click()
    assert "Say hello" not in page.content()
    ask(page, "Unlock held-out scenarios")
    sign(page)
    expect(page.get_by_role("timer")).to_contain_text(re.compile(r"^(10:00|9:\d\d)$"))
    expect(page.get_by_text("Say hello")).to_be_visible()
    with house.context.store.read() as tx:
        assert events.latest(tx, "holdout.revealed", "careful")
        assert events.latest(tx, "profile.paused", "careful")[0].payload["reason"] == "a look around"
