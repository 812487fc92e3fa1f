"""Each test meets the model server it started, whatever the host remembers of an earlier one."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_clients_of_other_models() -> Iterator[None]:
    """The host keeps one client for "the main model", whatever address that had when it was made."""
    yield
    if auxiliary := sys.modules.get("agent.auxiliary_client"):
        auxiliary._client_cache.clear()
