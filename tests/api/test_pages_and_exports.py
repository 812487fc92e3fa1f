"""Lists go on where they left off, exports hold everything and give nothing away, and nothing keeps anybody waiting."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from karpathy_self_improve.evaluation import exports
from karpathy_self_improve.evaluation.gating import reports
from karpathy_self_improve.evaluation.scenario import scenarios
from karpathy_self_improve.installation import overview
from karpathy_self_improve.ratchet import experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context
from karpathy_self_improve.routes import answers, contexts
from karpathy_self_improve.routes import exports as export_routes

PREFIX = "/api/plugins/karpathy-self-improve"
ME = Actor("somebody", "os:somebody")
SOUL = "# Soul\n\nYou help. Be brief.\n\n- Say hello.\n"
EXIT_OK = [{"type": "exit_ok"}]
ASKED = {"train": "How do I begin to run?", "holdout": "Which invoice is late, and by how many days?"}
RUN = """
    INSERT INTO eval_runs (experiment_id, kind, arm, split, scenario_set_hash, evaluator_hash, repeats, isolation,
        state, created_at) VALUES (1, 'offline', 'candidate', '{split}', '', '', 1, '', 'finished', '')
"""
RESULT = """
    INSERT INTO experiment_scenario_results (eval_run_id, experiment_id, scenario_id, split, arm, repeat, pass_fail,
        check_results, scenario_snapshot, transcript, judge_rationale, created_at)
    VALUES (?, 1, ?, ?, 'candidate', ?, 1, '["seen"]', ?, '{"answer": "the answer"}', 'the reason', '')
"""


@pytest.fixture
def many(call: Any) -> list[int]:
    """Seven experiments. Returns their ids, newest first."""
    made = []
    for number in range(7):
        content = SOUL.replace("Be brief.", f"Be brief, in {number} words.")
        made.append(call("POST", "/experiments", json={"profile": "coder", "content": content}).json()["experiment_id"])
    return made[::-1]


@pytest.fixture
def measured(call: Any, context: Context, many: list[int]) -> None:
    """Results of a scenario that everybody may see and of one that is held out."""
    for holdout, split in ((False, "train"), (True, "holdout")):
        made = scenarios.add_scenario(context, "coder", f"of {split}", ASKED[split], EXIT_OK, ME, holdout=holdout)
        snapshot = json.dumps({"name": f"of {split}", "input": "the question", "checks": []})
        with context.store.write() as tx:
            run = tx.exec_driver_sql(RUN.format(split=split)).lastrowid
            for repeat in range(3):
                tx.exec_driver_sql(RESULT, (run, made.id, split, repeat, snapshot))


@pytest.mark.parametrize(
    ("path", "key"), [("/experiments", "experiments"), ("/audit", "transitions"), ("/jobs", "jobs")]
)
def test_pages_hold_each_row_once(call: Any, many: list[int], path: str, key: str) -> None:
    found: list[int] = []
    following = None
    for _ in range(10):
        page = call("GET", f"{path}?limit=3" + (f"&before={following}" if following else "")).json()
        found += [row["id"] for row in page[key]]
        following = page["next_before"]
        if following is None:
            break
    assert found == list(range(7, 0, -1))


IN_ONE_PIECE = {
    "/metrics/latest": "a row per profile",
    "/profiles": "a row per profile",
    "/reviewers": "people",
    "/audit/verify": "what is wrong",
    "/scenarios/lint": "what is wrong",
    "/export/{kind}.json": "streamed",
}


def test_every_list_comes_in_pages_and_within_bounds(call: Any, web_server: Any, dashboard: Path) -> None:
    """Whatever the document lists: who adds a list says here why it has no pages, or gives it some."""
    document = web_server.app.openapi()
    paged = []
    for path, verbs in document["paths"].items():
        if "{" in path.removesuffix("{kind}.json") or "get" not in verbs or not path.startswith(PREFIX):
            continue
        schema = verbs["get"]["responses"]["200"]["content"].get("application/json", {}).get("schema", {})
        fields = document["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], {})
        lists = [name for name, field in fields.get("properties", {}).items() if field.get("type") == "array"]
        route = path.removeprefix(PREFIX)
        if not lists or route in IN_ONE_PIECE:
            continue
        asked = {parameter["name"] for parameter in verbs["get"].get("parameters", [])}
        (cursor,) = asked & {"before", "after"}
        assert fields["properties"].keys() == {*lists, f"next_{cursor}"}, route
        for query in ("limit=0", "limit=1001", "limit=x", f"{cursor}=0", f"{cursor}=-1", f"{cursor}={2**63}"):
            assert call("GET", f"{route}?{query}").status_code == 400, (route, query)
        paged.append(route)
    assert {"/experiments", "/audit", "/jobs", "/baselines", "/metrics", "/feedback", "/scenarios"} <= set(paged)


def test_scenarios_come_in_pages_oldest_first(call: Any, dashboard: Path, context: Context) -> None:
    for number in range(5):
        split = "holdout" if number == 1 else "train"
        asked = f"{ASKED[split]} {number}"
        scenarios.add_scenario(context, "coder", f"scenario {number}", asked, EXIT_OK, ME, holdout=number == 1)
    first = call("GET", "/scenarios?limit=2").json()
    assert ([one["id"] for one in first["scenarios"]], first["next_after"]) == ([1, 3], 3)
    rest = call("GET", "/scenarios?limit=3&after=3&profile=coder").json()
    assert ([one["id"] for one in rest["scenarios"]], rest["next_after"]) == ([4, 5], None)


def test_a_list_is_the_same_filtered_by_the_database_and_by_hand(call: Any, many: list[int]) -> None:
    call("POST", "/experiments/2/reject")
    call("POST", "/experiments/5/reject")
    everything = call("GET", "/experiments").json()["experiments"]
    for state in ("rejected", "proposed", "live"):
        asked = call("GET", f"/experiments?state={state}&profile=coder").json()["experiments"]
        assert asked == [row for row in everything if row["state"] == state]
    assert call("GET", "/experiments?profile=default").json() == {"experiments": [], "next_before": None}


def test_an_export_holds_everything(call: Any, measured: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "_AT_A_TIME", 2)
    for kind, rows in (("experiments", 7), ("results", 3), ("transitions", 7)):
        answer = call("GET", f"/export/{kind}.json")
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["content-disposition"] == f'attachment; filename="{kind}.json"'
        found = answer.json()[kind]
        assert [row["id"] for row in found] == list(range(1, rows + 1))
        table = list(csv.DictReader(io.StringIO(call("GET", f"/export/{kind}.csv").text)))
        assert [int(row["id"]) for row in table] == list(range(1, rows + 1))
        assert table[0].keys() == found[0].keys()
    assert call("GET", "/experiments/1").json() == call("GET", "/export/experiments.json").json()["experiments"][0]


def test_an_export_is_written_while_it_is_read(
    call: Any, measured: None, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = []
    stored = reports.stored
    monkeypatch.setattr(exports, "_AT_A_TIME", 1)
    monkeypatch.setattr(reports, "stored", lambda *asked: pages.append(asked) or stored(*asked))
    for written in (export_routes._as_json("results"), export_routes._as_csv("results")):
        pages.clear()
        assert [next(written) for _ in range(2)]
        assert len(pages) == 1
        assert len(list(written)) >= 2
        assert len(pages) == 4


def test_an_export_says_nothing_of_what_is_held_out(call: Any, measured: None) -> None:
    for form in ("json", "csv"):
        text = call("GET", f"/export/results.{form}").text
        assert text.count("the question") == text.count("the answer") == text.count("of train") == 3
        assert "of holdout" not in text


def test_a_spreadsheet_takes_no_cell_for_a_formula(call: Any, dashboard: Path) -> None:
    body = {"profile": "coder", "content": SOUL.replace("Be brief.", "Be kind."), "rationale": "=HYPERLINK(1)"}
    call("POST", "/experiments", json=body)
    (row,) = csv.DictReader(io.StringIO(call("GET", "/export/experiments.csv").text))
    assert row["rationale"] == "'=HYPERLINK(1)"
    (exact,) = call("GET", "/export/experiments.json").json()["experiments"]
    assert exact["rationale"] == "=HYPERLINK(1)"


def test_an_export_of_something_else_or_from_a_damaged_database_is_an_error(call: Any, dashboard: Path) -> None:
    assert call("GET", "/export/reviewers.json").status_code == 400
    (dashboard / "ratchet").mkdir(mode=0o700, exist_ok=True)
    (dashboard / "ratchet" / "ratchet.db").write_bytes(b"this is no database at all, " * 40)
    assert call("GET", "/export/results.json").json()["code"] == "store_corrupt"


def test_a_reviewer_sees_texts_words_and_what_hides_in_them(call: Any, dashboard: Path) -> None:
    content = SOUL.replace("Be brief.", "Be very\u200e brief.")
    number = call("POST", "/experiments", json={"profile": "coder", "content": content}).json()["experiment_id"]
    found = call("GET", f"/experiments/{number}/report").json()
    assert (found["base_text"], found["candidate_text"]) == (SOUL, content)
    words = found["word_diff"]
    assert "".join(one["text"] for one in words if one["change"] != "added") == SOUL
    assert "".join(one["text"] for one in words if one["change"] != "removed") == content
    assert [one["text"] for one in words if one["change"] == "added"] == ["very\u200e "]
    assert found["invisible_characters"] == [
        {"side": "candidate", "line": 3, "column": 18, "code": "U+200E", "name": "LEFT-TO-RIGHT MARK"}
    ]
    assert (found["drifted"], found["report"]) == (False, None)
    (dashboard / "profiles" / "coder" / "SOUL.md").write_text("# Another\n", encoding="utf-8")
    assert call("GET", f"/experiments/{number}/report").json()["drifted"] is True


def test_a_rejected_change_is_proposed_again_on_todays_file(call: Any, proposed: int) -> None:
    call("POST", f"/experiments/{proposed}/reject")
    answer = call("POST", f"/experiments/{proposed}/again")
    assert answer.status_code == 201
    first, second = (call("GET", f"/experiments/{number}").json() for number in (proposed, proposed + 1))
    assert (first["state"], second["state"]) == ("rejected", "proposed")
    assert first["candidate_sha256"] == second["candidate_sha256"]
    assert call("POST", "/experiments/77/again").status_code == 404


def test_a_scenario_is_edited_and_its_results_keep_what_it_was(call: Any, measured: None) -> None:
    before = call("GET", "/export/results.json").json()
    edited = call("PATCH", "/scenarios/1", json={"input": "another question", "critical": True}).json()
    assert edited.pop("replaced") == []
    assert (edited["name"], edited["input"], edited["critical"]) == ("of train", "another question", 1)
    assert call("GET", "/scenarios/1").json() == edited
    assert call("GET", "/export/results.json").json() == before
    assert call("PATCH", "/scenarios/1", json={"name": "of holdout"}).status_code == 422
    assert call("PATCH", "/scenarios/1", json={"checks": [{"type": "mind_reading"}]}).status_code == 422
    assert call("PATCH", "/scenarios/1", json={"name": " "}).status_code == 400
    assert call("GET", "/scenarios/1").json() == edited


def test_what_is_held_out_is_neither_shown_nor_rewritten(call: Any, measured: None) -> None:
    shown = call("GET", "/scenarios/2").json()
    assert (shown["name"], shown["input"], shown["checks"]) == ("of holdout", "", "")
    for change in ({"input": "another"}, {"checks": []}):
        assert call("PATCH", "/scenarios/2", json=change).status_code == 422
    assert call("PATCH", "/scenarios/2", json={"name": "renamed"}).json()["input"] == ""


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 4000, str(2**53 + 1)])
@pytest.mark.parametrize(
    "shape", ['{"type": "json_schema", "value": {"const": %s}}', '{"type": "max_tokens", "value": %s}']
)
def test_a_number_that_json_cannot_carry_is_no_check(call: Any, dashboard: Path, shape: str, number: str) -> None:
    checks = f"[{shape % number}]"
    as_list = f'{{"profile": "coder", "name": "n", "checks": {checks}}}'
    for content in (as_list, json.dumps({"profile": "coder", "name": "n", "checks": checks})):
        answer = call("POST", "/scenarios", content=content, headers={"content-type": "application/json"})
        assert answer.status_code == 422, answer.text
        assert "Check 1" in answer.json()["error"]
    assert call("GET", "/scenarios").json()["scenarios"] == []


@pytest.mark.parametrize(
    ("checks", "words"),
    [
        ({"type": "exit_ok"}, "checks: must be a list of checks, or the same as a JSON string."),
        (7, "checks: must be a list of checks, or the same as a JSON string."),
        (["exit_ok"], "Check 1 is wrong"),
        ([None], "Check 1 is wrong"),
    ],
)
def test_wrong_checks_are_refused_in_plain_words(call: Any, dashboard: Path, checks: Any, words: str) -> None:
    answer = call("POST", "/scenarios", json={"profile": "coder", "name": "n", "checks": checks})
    assert answer.status_code in (400, 422)
    assert words in answer.json()["error"]
    assert "[any]" not in answer.json()["error"]


def test_a_profile_list_has_every_profile(call: Any, proposed: int) -> None:
    found = call("GET", "/profiles").json()["profiles"]
    assert [(one["profile"], one["state"], one["in_flight"]) for one in found] == [
        ("default", "idle", None),
        ("coder", "proposed", None),
    ]
    one = call("GET", "/profiles/coder").json()
    assert {**one, "state": "proposed", "in_flight": None} == found[1]


def test_the_audit_chain_is_checked_over_http(call: Any, proposed: int) -> None:
    found = call("GET", "/audit/verify").json()
    assert (found["ok"], found["checked"], found["breaks"]) == (True, 1, [])
    assert found["head"] == call("GET", "/audit").json()["transitions"][0]["hash"]


def test_what_takes_long_is_answered_and_goes_on_with_its_context_its_own(
    web_server: Any, proposed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, used = threading.Event(), []
    look = overview.look

    def slow(context: Context, *arguments: Any) -> Any:
        assert go_on.wait(30)
        used.append(context)
        return look(context, *arguments)

    async def ask() -> None:
        token = {web_server._SESSION_HEADER_NAME: web_server._SESSION_TOKEN}
        transport = httpx.ASGITransport(web_server.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=token) as client:
            answer = await client.get(f"{PREFIX}/profiles/coder")
            assert (answer.status_code, answer.json()["code"]) == (503, "still_working")
            lent = list(contexts._idle)
            go_on.set()
            while answers._left_alone:
                await asyncio.sleep(0.01)
        assert all(context.store is not used[0].store for context in lent)
        assert any(context.store is used[0].store for context in contexts._idle)

    monkeypatch.setattr(overview, "look", slow)
    monkeypatch.setattr(answers, "_PATIENCE_S", 0.2)
    asyncio.run(ask())


def test_a_database_put_in_anothers_place_is_noticed_by_the_next_request(
    call: Any, proposed: int, dashboard: Path, context: Context
) -> None:
    assert call("GET", "/experiments").json()["experiments"]
    context.store.close()
    for file in (dashboard / "ratchet").glob("ratchet.db*"):
        file.unlink()
    assert call("GET", "/experiments").json()["experiments"] == []


def test_settings_changed_between_requests_count_at_once(call: Any, proposed: int, dashboard: Path) -> None:
    assert call("GET", "/health").json()["approval"] == "unsigned"
    (dashboard / "config.yaml").write_text("plugins: {enabled: [karpathy-self-improve]}\n", encoding="utf-8")
    assert call("GET", "/health").json()["approval"] == "signed"


def test_the_services_page_as_the_routes_do(context: Context, many: list[int]) -> None:
    assert [one.id for one in experiments.list_experiments(context, profile="coder", limit=2, before=5)] == [4, 3]
