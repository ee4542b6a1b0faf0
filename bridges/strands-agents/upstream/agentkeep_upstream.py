"""A pytest plugin: Strands' own repository tests run on Agentkeep's, in the database of AGENTKEEP_UPSTREAM_URL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, cast
from uuid import uuid4

import pytest
from agentkeep import sync
from agentkeep.sync import SyncKeep
from agentkeep_strands_agents import AgentkeepSessionRepository

URL = os.environ.get("AGENTKEEP_UPSTREAM_URL", "memory://")


@pytest.fixture(scope="session")
def keep() -> Iterator[SyncKeep]:
    with sync.connect(URL) as keep:
        yield keep


@pytest.fixture(autouse=True)
def on_agentkeep(keep: SyncKeep, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    class Repository(AgentkeepSessionRepository):
        def __init__(self) -> None:
            super().__init__(keep.for_tenant(uuid4().hex))

    module = cast("Any", request).module  # pytest says no type
    monkeypatch.setattr(module, "MockedSessionRepository", Repository)
