"""Experiments move along the legal edges only, one change of a profile at a time, and whoever loses a race is told."""

from __future__ import annotations

import itertools
import multiprocessing
import threading

import pytest

from karpathy_self_improve._db import driver, open_store
from karpathy_self_improve.errors import IllegalTransition, ProfileInFlight, StoreReadOnly, UnknownExperiment
from karpathy_self_improve.ratchet import events, states
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.audit import chain, trail
from karpathy_self_improve.ratchet.states import LEGAL, State

ME = Actor("somebody", "os:somebody")
EDGES = {
    ("proposed", "approved"),
    ("proposed", "rejected"),
    ("approved", "live"),
    ("approved", "rejected"),
    ("live", "verified"),
    ("live", "reverted"),
    ("verified", "reverted"),
}
PAIRS = list(itertools.product(State, State))


def move(store, number, to, actor=ME, reason="because", changes=None):
    with store.write() as tx:
        states.move(tx, number, to, actor, reason, changes)


def state_of(store, number):
    with store.read() as tx:
        return driver(tx).execute("SELECT state FROM experiments WHERE id = ?", (number,)).fetchone()[0]


def everything(store):
    with store.read() as tx:
        rows = [driver(tx).execute(f"SELECT * FROM {table}").fetchall() for table in ("experiments", "events")]
        return rows, driver(tx).execute("SELECT * FROM experiment_state_transitions").fetchall(), store.anchor()


def test_the_edges_are_the_seven_legal_ones():
    assert {(start, end) for start, ends in LEGAL.items() for end in ends} == EDGES


@pytest.mark.parametrize(("start", "end"), PAIRS, ids=lambda state: state.value)
def test_every_pair_of_states(store, experiment, start, end):
    number = experiment(start)
    before = everything(store)
    if (start, end) in EDGES:
        move(store, number, end)
        assert state_of(store, number) == end
    else:
        with pytest.raises(IllegalTransition) as refused:
            move(store, number, end)
        assert f"Experiment {number} is {start}" in refused.value.message
        assert f"cannot become {end}" in refused.value.message
        assert everything(store) == before
    assert trail.verify_store(store).ok


def test_a_move_is_recorded_with_who_and_why_and_announced(store, experiment):
    number = experiment()
    changes = {"rejected_by": "ann", "rejection_reason": "no"}
    move(store, number, State.REJECTED, Actor("ann", "os:ann"), "no", changes)
    with store.read() as tx:
        first, last = chain.history(tx, number)
        row = driver(tx).execute("SELECT rejected_by, rejection_reason, updated_at FROM experiments").fetchone()
        (event,) = events.latest(tx, "experiment.rejected", "default")
    assert (first.from_state, first.to_state) == (None, "proposed")
    assert (last.from_state, last.to_state, last.actor, last.principal) == ("proposed", "rejected", "ann", "os:ann")
    assert (last.reason, row) == ("no", ("ann", "no", last.created_at))
    assert (event.experiment_id, event.payload) == (number, {"actor": "ann", "reason": "no"})


def test_an_unknown_experiment(store):
    with pytest.raises(UnknownExperiment, match="no experiment 7"):
        move(store, 7, State.APPROVED)


def move_and_fail(store, number):
    with store.write() as tx:
        states.move(tx, number, State.APPROVED, ME, "x")
        raise ZeroDivisionError


def test_a_move_that_is_rolled_back_left_nothing(store, experiment):
    number = experiment()
    before = everything(store)
    with pytest.raises(ZeroDivisionError):
        move_and_fail(store, number)
    assert everything(store) == before
    move(store, number, State.APPROVED)
    assert trail.verify_store(store).ok


@pytest.mark.parametrize("other", [State.APPROVED, State.LIVE])
def test_one_change_in_flight_per_profile(store, experiment, other):
    first, second, elsewhere = experiment(other), experiment(), experiment(profile="work")
    before = everything(store)
    with pytest.raises(ProfileInFlight, match=f"Experiment {first} of profile 'default' is {other}") as refused:
        move(store, second, State.APPROVED)
    assert ("reject" if other is State.APPROVED else "revert") in refused.value.message
    assert everything(store) == before
    move(store, elsewhere, State.APPROVED)


def test_a_refusal_that_the_caller_swallows_leaves_no_link_behind(store, experiment):
    experiment(State.LIVE)
    second = experiment()
    with store.write() as tx:
        with pytest.raises(ProfileInFlight):
            states.move(tx, second, State.APPROVED, ME, "x")
        with pytest.raises(IllegalTransition):
            states.move(tx, second, State.VERIFIED, ME, "x")
        events.emit(tx, "goes.on")
    assert trail.verify_store(store).ok


@pytest.mark.parametrize("done", [State.VERIFIED, State.REVERTED])
def test_the_next_change_may_go_when_the_one_before_is_decided(store, experiment, done):
    experiment(done)
    move(store, experiment(), State.APPROVED)


def test_a_verified_change_can_be_taken_back_while_another_is_live(store, experiment):
    first = experiment(State.VERIFIED)
    experiment(State.LIVE)
    move(store, first, State.REVERTED)


def test_of_many_threads_one_wins_and_the_others_are_told_who_did(store, experiment):
    number, start, told = experiment(), threading.Barrier(8), []

    def work(name):
        start.wait()
        try:
            move(store, number, State.REJECTED, Actor(name, "os:test"))
            told.append(name)
        except IllegalTransition as refused:
            told.append(refused.message)

    threads = [threading.Thread(target=work, args=(f"thread{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [answer for answer in told if answer.startswith("thread")]
    assert sum(f"is rejected (by {winner}" in answer for answer in told) == 7
    with store.read() as tx:
        assert len(chain.history(tx, number)) == 2


def race(path, number, to, name, start, results):
    store = open_store(path)
    start.wait()
    try:
        move(store, number, to, Actor(name, "os:test"))
        results.put((name, None))
    except (IllegalTransition, ProfileInFlight) as refused:
        results.put((name, refused.message))


def raced(path, moves):
    """Each move in a process of its own, all at once; the winners' names and the losers' messages."""
    fork = multiprocessing.get_context("fork")
    start, results = fork.Barrier(len(moves)), fork.Queue()
    processes = [
        fork.Process(target=race, args=(path, number, to, f"p{index}", start, results))
        for index, (number, to) in enumerate(moves)
    ]
    for process in processes:
        process.start()
    answers = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    return [name for name, message in answers if message is None], [message for _, message in answers if message]


def test_of_many_processes_one_wins_and_the_others_are_told_who_did(store, experiment, path):
    for to in (State.REJECTED, State.APPROVED):
        number = experiment()
        (winner,), messages = raced(path, [(number, to)] * 6)
        assert all(f"Experiment {number} is {to} (by {winner}, 2" in message for message in messages)
        with store.read() as tx:
            assert len(chain.history(tx, number)) == 2
    assert trail.verify_store(store).ok


def test_of_many_proposals_approved_at_once_one_gets_through(store, experiment, path):
    numbers = [experiment() for _ in range(6)]
    (winner,), messages = raced(path, [(number, State.APPROVED) for number in numbers])
    approved = numbers[int(winner.removeprefix("p"))]
    assert all(f"Experiment {approved} of profile 'default' is approved" in message for message in messages)
    assert [state_of(store, number) for number in numbers].count("approved") == 1


def test_states_are_moved_in_write_transactions_only(store, experiment):
    number = experiment()
    with pytest.raises(StoreReadOnly), store.read() as tx:
        states.move(tx, number, State.APPROVED, ME, "x")
