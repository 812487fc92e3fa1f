"""One model for all tests of evaluations that need no other, and workers that stay warm: they reach it the same way."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from karpathy_self_improve.demo import scripted_judge
from karpathy_self_improve.demo.scripted_model import Failure, ScriptedModel
from karpathy_self_improve.evaluation import workers


@pytest.fixture(scope="session")
def shared_model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as model, workers.kept_warm():
        yield model


@pytest.fixture
def model(shared_model: ScriptedModel) -> Iterator[ScriptedModel]:
    """The shared model as new: it remembers nothing and does as it should. Who stops one starts one of their own."""
    shared_model.requests = 0
    shared_model.bodies.clear()
    yield shared_model
    shared_model.failure, shared_model.delay_s, shared_model.judging = Failure.NONE, 0.0, scripted_judge.judge


@pytest.fixture(autouse=True)
def no_clients_of_other_models() -> Iterator[None]:
    """The host keeps one client for "the main model", whatever address that had when it was made."""
    yield
    if auxiliary := sys.modules.get("agent.auxiliary_client"):
        auxiliary._client_cache.clear()
