"""Which tenants have sessions."""

from __future__ import annotations

import pytest
from agentkeep import Keep
from agentkeep_conformance.listed_tenants import check_tenants_are_listed
from agentkeep_memory import MemoryAdapter


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_tenants_with_sessions_are_listed() -> None:
    async with Keep(MemoryAdapter()) as keep:
        await check_tenants_are_listed(keep)
