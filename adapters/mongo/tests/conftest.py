"""Servers of the suite for this adapter's own tests. If one can't be had, a test says NOT RUN."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from agentkeep_conformance.outcomes import dsn_of
from agentkeep_conformance.servers import MONGO_STANDALONE
from pymongo import MongoClient


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
