"""Which tenants have sessions."""

from __future__ import annotations

import pytest
from agentkeep import Keep
from agentkeep_memory import MemoryAdapter


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_tenants_with_sessions_are_listed() -> None:
    adapter = MemoryAdapter()
    async with Keep(adapter) as keep:
        assert await adapter.tenants() == []
        for tenant in ("b", "a", "b"):
            await keep.for_tenant(tenant).sessions.create()
        gone = keep.for_tenant("gone")
        await gone.sessions.delete((await gone.sessions.create()).id)
        assert await adapter.tenants() == ["a", "b"]
