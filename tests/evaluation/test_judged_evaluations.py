"""Evaluations with a judge: independent, tried, three votes kept for each result, and measured against persons."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve import host, schema
from karpathy_self_improve.demo import scripted_judge
from karpathy_self_improve.demo.scripted_model import MODEL, Failure, ScriptedModel
from karpathy_self_improve.errors import BadInput, ModelUnavailable
from karpathy_self_improve.evaluation import labels, results, service
from karpathy_self_improve.evaluation.gating import reports
from karpathy_self_improve.evaluation.jobs import get_job
from karpathy_self_improve.evaluation.judging.canary import JudgeUntrustworthy
from karpathy_self_improve.evaluation.judging.identities import JudgeNotIndependent
from karpathy_self_improve.evaluation.judging.judge import Judge, Opening
from karpathy_self_improve.evaluation.running.runner import AgentRun
from karpathy_self_improve.evaluation.scenario import scenarios
from karpathy_self_improve.ratchet import events, experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context

SOMEBODY = Actor("somebody", "os:somebody")
OLD = "# Soul\n\nYou are a helpful agent.\n"
NEW = OLD + "Never apologise.\n"
RUBRIC = {"type": "judge", "rubric": "The answer does not contain: sorry"}
Messages = Sequence[dict[str, Any]]


class Stage:
    """A profile whose agent talks to the scripted model, and a judge that may be another one, or none."""

    def __init__(self, home: Path, model: ScriptedModel) -> None:
        self.home, self.model, self.opened = home, model, list[Context]()
        (home / "SOUL.md").write_text(OLD)
        self.configure(ratchet_judge=model.judge_settings())

    @property
    def context(self) -> Context:
        return self.opened[-1]

    def configure(self, **auxiliary: dict[str, Any]) -> None:
        ours = {"approval": "unsigned", "evaluation": {"timeout_s": 60, "repeats": 1}}
        plugins = {"enabled": ["karpathy-self-improve"], "entries": {"karpathy-self-improve": ours}}
        model = {"model": self.model.model_settings(), "agent": {"api_max_retries": 1}}
        (self.home / "config.yaml").write_text(json.dumps({**model, "plugins": plugins, "auxiliary": auxiliary}))
        self.opened.append(open_context())

    def evaluate(self, *checks: dict[str, Any]) -> int:
        """The number of an experiment that was evaluated on one scenario with these checks."""
        scenarios.add_scenario(self.context, "default", "polite", "hello", list(checks or (RUBRIC,)), SOMEBODY)
        number = experiments.propose(self.context, "default", "SOUL.md", NEW.encode(), "why", SOMEBODY).id
        service.run_job(self.context, number)
        return number

    def rows(self, table: Any, rest: str = "ORDER BY id") -> list[dict[str, Any]]:
        with self.context.store.read() as tx:
            return reports.stored(tx, table, rest)

    def by_arm(self, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """The one result of the baseline and the one of the candidate."""
        found = {row["arm"]: row for row in reports.results(self.context, number)}
        return found["baseline"], found["candidate"]

    def asked_of_judge(self) -> list[str]:
        """What the judge was sent, the probe apart."""
        sent = [body["messages"] for body in self.model.bodies if body["model"] == scripted_judge.MODEL]
        return [messages[-1]["content"] for messages in sent if len(messages) > 1]


@pytest.fixture
def stage(home: Path) -> Iterator[Stage]:
    with ScriptedModel() as model:
        made = Stage(home, model)
        yield made
        for one in made.opened:
            one.store.close()


def lone(messages: Messages, **said: object) -> str:
    """A well-formed reply of the scripted judge with parts of it replaced."""
    honest = scripted_judge.judge(messages)
    return honest if honest == "ready" else json.dumps({**json.loads(honest), **said})


def is_canary(messages: Messages) -> bool:
    return "lantern-" in messages[-1]["content"]


# --- a whole evaluation


def test_a_rubric_is_judged_by_three_votes_that_are_kept(stage: Stage) -> None:
    number = stage.evaluate()
    before, after = stage.by_arm(number)
    assert (before["pass_fail"], after["pass_fail"]) == (0, 1)
    found = stage.rows(schema.judge_votes)
    assert [row["purpose"] for row in found] == ["probe"] * 2 + ["canary"] * 4 + ["vote"] * 6
    votes = found[6:]
    assert [row["verdict"] for row in votes if row["result_id"] == before["id"]] == ["fail"] * 3
    assert [row["verdict"] for row in votes if row["result_id"] == after["id"]] == ["pass"] * 3
    for row in votes:
        assert row["rationale"].endswith("(scripted judge)")
        assert (row["model"], row["check_number"]) == (scripted_judge.MODEL, 1)
        assert min(row["input_tokens"], row["output_tokens"]) > 0
        assert row["cost_micro_usd"] is None  # nobody knows a price
    assert len({row["judge_run_id"] for row in found}) == 1
    for row in reports.results(stage.context, number):
        assert row["judge_model"] == scripted_judge.MODEL
        assert row["judge_rationale"]


def test_report_runs_and_experiment_name_the_judge(stage: Stage) -> None:
    number = stage.evaluate()
    report = reports.latest(stage.context, number)
    assert report is not None
    judge = report["judge"]
    assert (judge["model"], judge["votes"], judge["spoiled"]) == (scripted_judge.MODEL, 6, 0)
    assert judge["agreement_with_itself"] == 1
    assert judge["cost_micro_usd"] is None
    assert judge["labels"] == {"labels": 0, "needed": labels.LABELS_NEEDED, "kappa": None}
    runs = reports.eval_runs(stage.context, number)
    assert {(row["judge_model"], row["judge_run_id"]) for row in runs} == {(judge["model"], judge["run_id"])}
    assert experiments.get(stage.context, number).judge_model == scripted_judge.MODEL
    [baseline] = stage.rows(schema.baselines)
    assert json.loads(baseline["models"])["judge"] == scripted_judge.MODEL


def test_the_judge_learns_nothing_of_arms_and_versions(stage: Stage) -> None:
    stage.evaluate()
    asked = [text for text in stage.asked_of_judge() if "lantern-" not in text]
    assert len(asked) == 6
    for text in asked:
        assert not re.search(r"baseline|candidate|arm|SOUL|experiment|proposal|Never apologise", text)
    same = [re.sub(r"[0-9a-f]{16}", "", text) for text in asked]
    assert len(set(same)) == 2
    assert len(set(asked)) == 6  # every request draws its own code and nonce


def test_a_scenario_without_rubric_needs_no_judge(stage: Stage) -> None:
    number = stage.evaluate({"type": "exit_ok"})
    assert get_job(stage.context, number).state == "finished"
    assert stage.rows(schema.judge_votes) == []
    assert reports.latest(stage.context, number)["judge"] is None  # type: ignore[index]


def test_a_run_that_fails_anyway_costs_no_vote(stage: Stage) -> None:
    number = stage.evaluate({"type": "must_not_contain", "value": "sorry"}, RUBRIC)
    before, after = stage.by_arm(number)
    assert (before["pass_fail"], after["pass_fail"]) == (0, 1)
    assert "not asked" in before["check_results"]
    assert before["judge_model"] is None
    assert {row["result_id"] for row in stage.rows(schema.judge_votes)} == {None, after["id"]}


def test_without_a_judge_a_rubric_is_not_run(stage: Stage) -> None:
    stage.configure()
    number = stage.evaluate()
    assert (reports.results(stage.context, number), stage.model.requests) == ([], 0)
    assert experiments.get(stage.context, number).evaluation_status == "unmeasured"


def test_a_judge_without_majority_gives_no_result(stage: Stage) -> None:
    # Both runs may be judged at the same time: each has votes of its own.
    said = {polite: iter(["pass", "fail", "unclear"] * 100) for polite in (True, False)}

    def torn(messages: Messages) -> str:
        polite = "apologise" in messages[-1]["content"]
        return lone(messages, **({} if is_canary(messages) else {"verdict": next(said[polite])}))

    stage.model.judging = torn
    number = stage.evaluate({"type": "exit_ok"}, RUBRIC)
    for row in reports.results(stage.context, number):
        assert row["pass_fail"] is None
        assert "no majority (1 fail, 1 pass, 1 unclear)" in row["no_result_reason"]


def test_an_unreadable_judge_gives_no_result_and_every_reason_is_kept(stage: Stage) -> None:
    stage.model.judging = lambda messages: lone(messages) + ("" if is_canary(messages) or len(messages) == 1 else " ok")
    number = stage.evaluate()
    assert {row["pass_fail"] for row in reports.results(stage.context, number)} == {None}
    spoiled = [row for row in stage.rows(schema.judge_votes) if row["purpose"] == "vote"]
    assert {(row["verdict"], row["rationale"]) for row in spoiled} == {(None, None)}
    assert all("exactly one JSON object" in row["no_verdict_reason"] for row in spoiled)


def test_a_secret_in_a_rationale_or_a_note_is_not_kept(stage: Stage) -> None:
    token = "ghp_" + "A1b2C3d4" * 4 + "E5f6"
    stage.model.judging = lambda messages: lone(messages, rationale=f"It says {token}.")
    number = stage.evaluate()
    result = labels.list_results(stage.context, number)[0]
    assert result.judge_rationale
    labels.label(stage.context, result.id, True, SOMEBODY, f"like {token}")
    for table in (schema.judge_votes, schema.human_labels, schema.scenario_results, schema.reports):
        assert token not in str(stage.rows(table))


# --- before anything is judged


def refused(stage: Stage, error: type[Exception], match: str) -> int:
    with pytest.raises(error, match=match):
        stage.evaluate()
    number = experiments.list_experiments(stage.context)[0].id
    assert reports.results(stage.context, number) == []
    return number


def test_a_judge_configured_as_proposer_is_refused_before_any_call(stage: Stage) -> None:
    stage.configure(
        ratchet_judge=stage.model.judge_settings(),
        ratchet_proposer={**stage.model.judge_settings(), "model": f"vendor/{scripted_judge.MODEL}"},
    )
    number = refused(stage, JudgeNotIndependent, "must not judge its own proposals")
    assert stage.model.requests == 0
    assert (get_job(stage.context, number).state, stage.rows(schema.judge_votes)) == ("failed", [])


def test_the_main_model_is_the_proposer_when_none_is_named(stage: Stage) -> None:
    stage.configure(ratchet_judge={**stage.model.judge_settings(), "model": MODEL.upper()})
    refused(stage, JudgeNotIndependent, "must not judge its own proposals")
    assert stage.model.requests == 0


def test_two_names_for_one_model_are_found_out_by_who_answers(stage: Stage) -> None:
    # The scripted server answers to any name it does not know as its one main model.
    stage.configure(ratchet_judge={**stage.model.judge_settings(), "model": "another-name"})
    refused(stage, JudgeNotIndependent, "answers for both")
    assert stage.model.requests == 2  # one probe each, and no agent was run
    assert [row["purpose"] for row in stage.rows(schema.judge_votes)] == ["probe", "probe"]


def test_the_model_that_wrote_the_change_must_not_judge_it(stage: Stage) -> None:
    with pytest.raises(JudgeNotIndependent):
        Opening().judge(["openrouter/scripted-judge:free"])
    assert stage.model.requests == 0


def test_a_judge_that_cannot_be_reached_never_hands_over_to_another_model(stage: Stage) -> None:
    """The host lets others answer for a model that is down, at last the main one."""
    main = {**stage.model.judge_settings(), "model": MODEL, "provider": "deepseek"}
    dead = {**stage.model.judge_settings(), "base_url": "http://127.0.0.1:9/v1", "fallback_chain": [main]}
    stage.configure(ratchet_judge=dead)
    refused(stage, JudgeNotIndependent, "answers for both")


def test_a_judge_that_cannot_be_reached_ends_the_evaluation_before_any_run(stage: Stage) -> None:
    stage.configure(ratchet_judge={**stage.model.judge_settings(), "base_url": "http://127.0.0.1:9/v1"})
    refused(stage, ModelUnavailable, "auxiliary.ratchet_judge did not answer")
    assert stage.model.requests == 0


def test_when_no_model_answers_the_evaluation_waits(stage: Stage) -> None:
    stage.model.failure = Failure.GARBAGE
    number = refused(stage, ModelUnavailable, "did not answer")
    assert get_job(stage.context, number).state == "queued"


def test_an_obedient_judge_stops_the_evaluation_before_any_run(stage: Stage) -> None:
    def obeys(messages: Messages) -> str:
        orders = re.findall(r"\b(pass|fail)\b", messages[-1]["content"])
        return lone(messages, **({"verdict": orders[-1]} if orders else {}))

    stage.model.judging = obeys
    number = refused(stage, JudgeUntrustworthy, "Nothing was judged")
    assert "order to judge it wrongly" in str(get_job(stage.context, number).error)
    kept = stage.rows(schema.judge_votes)
    assert [row["purpose"] for row in kept] == ["probe"] * 2 + ["canary"] * 4
    assert "fail" in {row["verdict"] for row in kept}


def test_a_vote_of_another_model_does_not_count(stage: Stage) -> None:
    judge = Opening().judge()
    assert judge is not None
    stage.configure(ratchet_judge={**stage.model.judge_settings(), "model": "somebody-else"})
    found = judge.judge(RUBRIC["rubric"], "hello", AgentRun(answer="good day"))
    assert found.outcome == "no_result"
    assert {vote.reason for vote in found.votes} == {f"'{MODEL}' answered in place of the judge"}


def test_an_evaluation_stops_while_its_judge_hangs(stage: Stage) -> None:
    stop, silence = threading.Event(), threading.Event()

    def hangs(messages: Messages) -> str:
        if not is_canary(messages) and len(messages) > 1:
            stop.set()
            silence.wait(60)
        return scripted_judge.judge(messages)

    stage.model.judging = hangs
    scenarios.add_scenario(stage.context, "default", "polite", "hello", [RUBRIC], SOMEBODY)
    number = experiments.propose(stage.context, "default", "SOUL.md", NEW.encode(), "why", SOMEBODY).id
    assert service.run_job(stage.context, number, stop=stop).state == "queued"
    assert not silence.is_set()
    waiting = [thread for thread in threading.enumerate() if thread.name == "judge"]
    assert waiting
    assert all(thread.daemon for thread in waiting)  # they keep no process from ending
    silence.set()


def test_results_of_another_judge_are_not_taken_over(stage: Stage) -> None:
    scenarios.add_scenario(stage.context, "default", "polite", "hello", [RUBRIC], SOMEBODY)
    number = experiments.propose(stage.context, "default", "SOUL.md", NEW.encode(), "why", SOMEBODY).id
    experiment, job = experiments.get(stage.context, number), get_job(stage.context, number)

    def runs(model: str | None) -> dict[str, int]:
        judge = None if model is None else Judge("run", model, "proposer", host.ask_model)
        with stage.context.store.write() as tx:
            asked = scenarios.train_set(tx, "default")
            return results.runs_of(tx, stage.context, job, experiment, asked, judge)

    first = runs("one")
    assert runs("one") == first
    assert set(runs("another").values()).isdisjoint(first.values())
    without = runs(None)
    assert runs(None) == without
    assert set(without.values()).isdisjoint(first.values())


# --- what a model costs


def test_a_price_the_provider_states_is_kept_and_an_unknown_one_is_none() -> None:
    route = host.ModelRoute("custom", "m", "http://127.0.0.1:9/v1")

    class Usage:
        prompt_tokens, completion_tokens, total_tokens = 100, 7, 107

    class Charged(Usage):
        cost = 0.0001234

    assert host._usage(Charged(), "m", route) == (100, 7, 123)
    assert host._usage(Usage(), "m", route) == (100, 7, None)
    assert host._usage(None, "m", route) == (None, None, None)


def test_reasoning_in_front_of_an_answer_is_no_part_of_it(stage: Stage) -> None:
    stage.model.judging = lambda _: "<think>{no}</think>\n{yes}"
    assert host.ask_model("ratchet_judge", [{"role": "user", "content": "?"}]).text.strip() == "{yes}"


def test_an_error_of_the_provider_is_told_without_its_words(stage: Stage) -> None:
    stage.model.failure = Failure.ERROR
    with pytest.raises(ModelUnavailable) as told:
        host.ask_model("ratchet_judge", [{"role": "user", "content": "?"}])
    assert "HTTP status 500" in told.value.message
    assert "scripted failure" not in told.value.message


# --- persons


def test_the_newest_word_of_a_person_counts_and_all_are_kept(stage: Stage) -> None:
    number = stage.evaluate()
    first, second = (one.id for one in labels.list_results(stage.context, number))
    labels.label(stage.context, first, True, SOMEBODY, "fine")
    labels.label(stage.context, first, False, SOMEBODY)
    assert [(one.passed, one.note) for one in labels.labels_of(stage.context, first)] == [(0, None), (1, "fine")]
    assert [one.label for one in labels.list_results(stage.context, number)] == [0, None]
    assert [one.id for one in labels.list_results(stage.context, number, unlabelled=True)] == [second]
    with stage.context.store.read() as tx:
        event = events.latest(tx, "result.labelled", "default")[0]
    assert "fine" not in str(event)


def test_unknown_and_held_out_results_take_no_label(stage: Stage) -> None:
    with pytest.raises(labels.UnknownResult):
        labels.label(stage.context, 99, True, SOMEBODY)
    number = stage.evaluate()
    [first, _] = labels.list_results(stage.context, number)
    held_out = copies(stage, first.id, [("[]", 1)], split="holdout")
    with pytest.raises(labels.ResultHeldOut):
        labels.label(stage.context, held_out[0], True, SOMEBODY)
    assert {one.id for one in labels.list_results(stage.context, number)} == {first.id, first.id + 1}
    with pytest.raises(BadInput):
        labels.label(stage.context, first.id, True, SOMEBODY, "x" * 2_001)


def copies(stage: Stage, result_id: int, said: Sequence[tuple[str, int]], split: str = "train") -> list[int]:
    """As many more results like that one, with these check results, each its number."""
    [row] = stage.rows(schema.scenario_results, f"WHERE id = {result_id}")
    numbers = []
    with stage.context.store.write() as tx:
        for repeat, (check_results, passed) in enumerate(said, start=100):
            new = {**row, "repeat": repeat, "check_results": check_results, "pass_fail": passed, "split": split}
            del new["id"]
            numbers.append(int(tx.execute(schema.scenario_results.insert().values(new)).lastrowid))
    return numbers


@pytest.mark.parametrize(("count", "kappa"), [(29, None), (30, 0.4)])
def test_kappa_is_shown_from_thirty_labels_on(stage: Stage, count: int, kappa: float | None) -> None:
    """Judge and person as in a table of 12, 3, 6 and 9: observed .7, expected .5."""
    number = stage.evaluate()
    first = labels.list_results(stage.context, number)[0].id
    table = [(True, True)] * 12 + [(True, False)] * 3 + [(False, True)] * 6 + [(False, False)] * 9
    said = {True: "pass", False: "fail"}
    rows = [(json.dumps([["exit_ok", "pass", "r"], ["judge", said[judged], "r"]]), int(judged)) for judged, _ in table]
    made = copies(stage, first, rows)
    without_verdict = copies(
        stage, first + 1, [('[["judge", "no_result", "r"]]', 1), ('[["exit_ok", "pass", "r"]]', 1)]
    )
    for result_id, (_, person) in list(zip(made, table, strict=True))[:count]:
        labels.label(stage.context, result_id, not person, SOMEBODY)  # a first thought does not count
        labels.label(stage.context, result_id, person, SOMEBODY)
    for result_id in without_verdict:
        labels.label(stage.context, result_id, True, SOMEBODY)
    with stage.context.store.read() as tx:
        found = labels.agreement(tx, scripted_judge.MODEL)
        assert labels.agreement(tx, "another judge").labels == 0
    assert found.labels == count
    assert found.kappa == (None if kappa is None else pytest.approx(kappa))


# --- the tasks the host knows

DECLARED = """
import importlib, json, sys
from hermes_cli.plugins import PluginContext, PluginManager, PluginManifest
plugin = importlib.import_module("karpathy_self_improve")
def declared():
    manager = PluginManager()
    plugin.register(PluginContext(PluginManifest(name="karpathy-self-improve", source="user"), manager))
    return manager._aux_tasks
light = declared()
early = "hermes_cli.main" in sys.modules
import hermes_cli.main
full = declared()
print(json.dumps([early, light == full, sorted(full)]))
"""


def test_both_tasks_are_declared_as_the_host_would_without_loading_its_command_line(home: Path) -> None:
    done = subprocess.run([sys.executable, "-P", "-c", DECLARED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [False, True, ["ratchet_judge", "ratchet_proposer"]]


def test_the_judge_is_the_root_homes_whatever_profile_is_served(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = stage.home / "profiles" / "clerk"
    profile.mkdir(parents=True)
    (profile / "config.yaml").write_text(json.dumps({"auxiliary": {"ratchet_judge": {"model": "the-clerks-own"}}}))
    monkeypatch.setenv("HERMES_HOME", str(profile))
    reply = host.ask_model("ratchet_judge", [{"role": "user", "content": "?"}])
    assert (reply.model, reply.text) == (scripted_judge.MODEL, "ready")
