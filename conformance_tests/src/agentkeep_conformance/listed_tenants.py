"""What adapters that list tenants promise of it. It is no clause, so their own tests ask it."""

from __future__ import annotations

from agentkeep import Keep
from agentkeep.protocol import ListsTenants


async def check_tenants_are_listed(keep: Keep) -> None:
    """Each tenant with sessions once, in order, and none whose last session is gone. `keep` holds nothing yet."""
    adapter = keep.adapter
    assert isinstance(adapter, ListsTenants)
    assert await adapter.tenants() == []
    for tenant in ("b", "é", "a b", "b"):
        await keep.for_tenant(tenant).sessions.create()
    gone = keep.for_tenant("gone")
    await gone.sessions.delete((await gone.sessions.create()).id)
    assert await adapter.tenants() == ["a b", "b", "é"]
