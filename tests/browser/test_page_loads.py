"""Our page inside the host's real page, in a real Chromium: it shows all, keeps all, and no text becomes markup."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.sync_api import Page, WebSocketRoute, expect

from karpathy_self_improve.evaluation import labels
from karpathy_self_improve.evaluation.scenario import scenarios
from karpathy_self_improve.ratchet import experiments, feedback
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.window import live_window

HOSTILE = "<img src=x onerror=\"document.title='taken'\"> \x1b[2J \u202e answers ran long"
SHOWN = "<img src=x onerror=\"document.title='taken'\"> \u27e8U+001B\u27e9[2J \u27e8U+202E\u27e9 answers ran long"
SOMEBODY = Actor("somebody", "os:somebody")
UNLABELLED = """() => [...document.querySelectorAll('.ksi :is(input, select, textarea)')]
    .filter((one) => one.labels.length === 0 && !one.ariaLabel).map((one) => one.outerHTML)"""


def expect_rows(page: Page, numbers: list[int]) -> None:
    expect(page.locator(".ksi-list tbody tr td:first-child")).to_have_text([str(number) for number in numbers])


def test_the_list_is_filtered_and_paged_and_the_filter_survives_a_look_at_one(house: Any, page: Page) -> None:
    numbers = [house.proposed("many", f"reason {n}", f"very, {'very ' * n}briefly") for n in range(3)]
    experiments.reject(house.context, numbers[0], SOMEBODY, "no")
    house.report(numbers[1], verdict="underpowered")
    house.report(numbers[2])
    page.goto(f"{house.address}#/?profile=many")
    expect_rows(page, numbers[::-1])
    row = page.locator(".ksi-list tbody tr")
    for place, words, tone in ((0, "passed", "good"), (1, "underpowered", "unsure")):
        expect(row.nth(place).locator("td").nth(4)).to_have_text(f"{words} 0 % \u2192 100 %")
        expect(row.nth(place).get_by_text(words)).to_have_class(f"ksi-badge ksi-tone-{tone}")
    page.get_by_label("State").select_option("rejected")
    expect_rows(page, numbers[:1])
    page.get_by_role("link", name="reason 0").click()
    expect(page.get_by_role("heading", name=f"Experiment {numbers[0]}")).to_be_visible()
    page.go_back()
    expect_rows(page, numbers[:1])
    assert page.get_by_label("State").input_value() == "rejected"
    page.goto(f"{house.address}#/?profile=many&before={numbers[1]}")
    expect_rows(page, numbers[:1])
    expect(page.get_by_role("button", name="Newest")).to_be_visible()


def test_hostile_text_stays_text_wherever_it_shows(house: Any, page: Page) -> None:
    number = house.measured("hostile", answer=HOSTILE, rationale=HOSTILE, why=HOSTILE)
    house.said(number, flags=json.dumps([HOSTILE]), hypothesis=HOSTILE)
    page.goto(f"{house.address}#/?profile=hostile")
    expect(page.get_by_role("link", name=SHOWN)).to_be_visible()
    page.goto(f"{house.address}#/experiments/{number}")
    page.locator(".ksi-scenario summary").first.click()
    page.get_by_text("The answer").first.click()
    said = page.get_by_role("region", name="What the proposer says")
    expect(said).to_contain_text(re.compile("Suspicious:.*It believes", re.DOTALL))
    for place in (said, page.locator(".ksi-why"), page.locator(".ksi-quote").first, page.get_by_label("What happened")):
        expect(place).to_contain_text(SHOWN)
    expect(page.locator(".ksi-runs .ksi-words").first).to_have_text(SHOWN)
    page.goto(f"{house.address}#/experiments/{number}/label")
    expect(page.locator(".ksi-words").nth(1)).to_have_text(SHOWN)
    assert page.locator(".ksi img").count() == 0
    assert page.title() != "taken"


def test_the_report_says_what_each_run_did_and_what_an_approval_binds(house: Any, page: Page) -> None:
    number = house.measured("measured")
    page.goto(f"{house.address}#/experiments/{number}")
    report = page.get_by_role("region", name="Evaluation")
    expect(report).to_contain_text("0 % passed before the change, 100 % with it (+100 points)")
    scenario = report.locator(".ksi-scenario > summary")
    expect(scenario).to_have_text(re.compile("fixed.*greets.*0 of 2 \u2192 2 of 2"))
    with house.context.store.read() as tx:
        sha256 = tx.exec_driver_sql("SELECT sha256 FROM reports WHERE experiment_id = ?", (number,)).scalar()
    expect(report).to_contain_text(sha256)
    scenario.click()
    for words in (
        "A gain on train.",
        "On 1 train scenario: 1 won, 0 lost, 0 tied; +100 points.",
        "with p = 0.500; 0.100 or less convinces.",
        "A gain of +25 points would have been seen in four of five such comparisons.",
    ):
        expect(report).to_contain_text(words)
    for words in ("candidate, run 2", "judge: pass, the rubric", "The judge (the-judge): It is polite."):
        expect(report).to_contain_text(words)


def test_a_result_is_labelled_unswayed(house: Any, page: Page) -> None:
    number = house.measured("labelled")
    page.goto(f"{house.address}#/experiments/{number}")
    page.get_by_role("link", name="Label results").click()
    expect(page.get_by_text("4 results to label.")).to_be_visible()
    for sway in ("It is polite", "candidate", "baseline"):
        assert sway not in page.locator(".ksi article").inner_text()
    page.get_by_label("Note").fill("too stiff")
    page.get_by_role("button", name="Not good enough").click()
    expect(page.get_by_text("3 results to label.")).to_be_visible()
    expect(page.get_by_label("Note")).to_have_value("")
    said = [one for one in labels.list_results(house.context, number) if one.label is not None]
    assert [(one.label, labels.labels_of(house.context, one.id)[0].note) for one in said] == [(0, "too stiff")]


def test_a_session_of_a_window_is_called_bad_and_remembered(house: Any, page: Page) -> None:
    number = house.live("talked")
    house.talk("talked", ["NEXT", "NEXT"])
    live_window.observe(house.context, number)
    page.goto(f"{house.address}#/experiments/{number}")
    window = page.get_by_role("region", name="Live window")
    window.get_by_text("say how one went").click()
    bad = window.get_by_role("button", name=re.compile("^Bad: ")).first
    bad.click()
    expect(bad).to_have_attribute("aria-pressed", "true")
    [word] = feedback.list_feedback(house.context, profile="talked")
    assert (word.good, word.principal) == (0, "dashboard")
    keep = window.get_by_role("button", name=re.compile("^Remember this session: ")).first
    keep.click()
    expect(window.get_by_label("What was wrong with the answer?")).to_be_focused()
    page.keyboard.press("Escape")
    expect(keep).to_be_focused()
    page.keyboard.press("Enter")
    window.get_by_role("button", name="Remember this session", exact=True).click()
    said = window.locator("tr").get_by_role("status")
    expect(said).to_contain_text(re.compile("is scenario .* No evaluation runs it yet: it is a draft without checks"))
    said.get_by_role("link").click()
    [one] = scenarios.list_scenarios(house.context, "talked")
    scenario = page.locator(".ksi-scenario summary")
    expect(scenario).to_have_text(f"{one.name}draft")
    assert (one.input, one.source) == ("hello", f"session:{word.session_id}")


def test_reviewers_are_named_with_their_fingerprint_and_the_trail_is_checked(house: Any, page: Page) -> None:
    page.goto(f"{house.address}#/trust")
    people = page.get_by_role("region", name="Reviewers")
    for words in ("ana", house.key.public_key, "It is pinned nowhere"):
        expect(people).to_contain_text(words)
    page.get_by_role("button", name="Check the audit trail").click()
    expect(page.get_by_text("The audit trail is whole.")).to_be_visible()


def test_what_happens_while_the_socket_is_down_shows_when_it_is_back(house: Any, fresh_page: Page) -> None:
    number = house.proposed("away")
    sockets: list[WebSocketRoute] = []
    open_again = True

    def through(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        if open_again:
            socket.connect_to_server()
        else:
            socket.close()

    fresh_page.route_web_socket(re.compile("/events"), through)
    fresh_page.add_init_script("Object.defineProperty(document, 'hidden', { get: () => true })")  # it asks nothing then
    fresh_page.goto(f"{house.address}#/experiments/{number}")
    expect(fresh_page.get_by_role("button", name="Reject")).to_be_visible()
    fresh_page.wait_for_timeout(500)  # what it asks for when it has just opened
    open_again = False
    sockets[0].close()
    expect(fresh_page.get_by_text("Not connected.")).to_be_visible()
    experiments.reject(house.context, number, SOMEBODY, "while nobody listened")
    open_again = True
    expect(fresh_page.get_by_label("What happened")).to_contain_text("while nobody listened")
    expect(fresh_page.get_by_text("Not connected.")).to_have_count(0)
    assert re.search(r"[?&]since=\d+", sockets[-1].url)


def test_it_is_used_by_keyboard_and_says_what_each_field_is_for(house: Any, page: Page) -> None:
    number = house.proposed("typed")
    page.goto(f"{house.address}#/experiments/{number}")
    reject = page.get_by_role("button", name="Reject")
    reject.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Why is it rejected?")).to_be_focused()
    page.keyboard.press("Escape")
    expect(reject).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate(UNLABELLED) == []
    page.keyboard.type("too long")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("What happened")).to_contain_text("too long")
    assert experiments.get(house.context, number).state == "rejected"


def test_a_button_works_once_until_it_is_answered(house: Any, page: Page) -> None:
    house.profile("slow")
    held: list[Any] = []
    page.route("**/profiles/slow/pause", lambda route: held.append(route))
    page.goto(f"{house.address}#/profiles/slow")
    pause = page.get_by_role("button", name="Pause")
    pause.click()
    expect(pause).to_be_disabled()  # not without a reason
    page.get_by_label("Why is it paused?").fill("a look around")
    pause.click()
    expect(pause).to_be_disabled()
    assert len(held) == 1
    held[0].continue_()
    expect(page.get_by_role("button", name="Resume")).to_be_enabled()


def test_the_proposer_is_asked_and_what_becomes_of_it_is_said(house: Any, page: Page) -> None:
    house.profile("wishing")
    page.goto(f"{house.address}#/profiles/wishing")
    with page.expect_response("**/propose") as answer:
        page.get_by_role("button", name="Ask for a change").click()
    said = answer.value.json()
    words = said["reason"] if "skipped" in said else f"Job {said['job_id']} looks for a change."
    expect(page.locator(".ksi-deciding")).to_contain_text(words)
