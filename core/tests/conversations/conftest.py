"""A keep in memory. `backend_url`, of the root's conftest, has one for each backend."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from agentkeep import Keep, connect


@pytest.fixture
async def keep() -> AsyncIterator[Keep]:
    async with connect("memory://") as keep:
        yield keep
