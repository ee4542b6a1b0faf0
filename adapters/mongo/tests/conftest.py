"""Servers of the suite for this adapter's own tests. If one can't be had, a test says NOT RUN."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from agentkeep_conformance.outcomes import dsn_of
from agentkeep_conformance.servers import MONGO_STANDALONE
from pymongo import MongoClient


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """PyMongo 4 leaves the socket of an attempt to connect that `close` interrupts to the garbage collector."""
    leak = "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and "can_not_be_reached" in item.name:
            item.add_marker(pytest.mark.filterwarnings(leak))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def dsn(request: pytest.FixtureRequest) -> str:
    return dsn_of(MONGO_STANDALONE, request.config)


@pytest.fixture
def prefix(dsn: str) -> Iterator[str]:
    """One of its own for each test. All collections that begin with it are dropped at the end."""
    prefix = f"n{uuid4().hex[:10]}"
    yield prefix
    with MongoClient[dict[str, Any]](dsn) as client:
        database = client["agentkeep"]
        for name in database.list_collection_names():
            if name.startswith(prefix):
                database.drop_collection(name)
