"""Fixtures for the tests of an agent: keeps in memory, empty for each test.

In a `conftest.py`:

    pytest_plugins = ["agentkeep.testing"]

Needs `pip install "agentkeep[memory]" pytest`. For tests of an adapter there is `agentkeep-conformance`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agentkeep import sync
from agentkeep.keep import Keep


@pytest.fixture
def sync_keep() -> Iterator[sync.SyncKeep]:
    """An open keep for tests without `await`."""
    with sync.connect("memory://") as keep:
        yield keep


@pytest.fixture
def keep(sync_keep: sync.SyncKeep) -> Keep:
    """An open keep for tests with `await`, in any event loop: of anyio, of pytest-asyncio, or of `asyncio.run`."""
    return sync_keep.asynchronous
