"""Ids that core drew are not looked for one by one: the session says which it may hold (IDEM-1, IDEM-2)."""

from __future__ import annotations

import pytest
from agentkeep import Keep, NewMessage
from agentkeep.records import Scope
from agentkeep_conformance.families.resending import record_of
from agentkeep_mongo import MongoAdapter

pytestmark = pytest.mark.anyio


async def test_a_fork_holds_the_ids_of_its_parent(dsn: str, prefix: str) -> None:
    """Also if all of them were moved out of the parent's document before."""
    adapter = MongoAdapter.from_url(dsn, prefix=prefix)
    async with Keep(adapter) as keep:
        await keep.sessions.create("s")
        record = await record_of(adapter, [NewMessage(role="user", content="x")] * 2, {}, "s")
        await adapter.messages.append(Scope("default"), record)
        for number in range(150):
            await keep.messages.append("s", [NewMessage(role="user", content=f"later {number}")])
        await keep.sessions.fork("s", at_seq=2, new_id="copy")
        await keep.sessions.delete("s")
        await keep.sessions.fork("copy", new_id="s")
        assert (await adapter.messages.append(Scope("default"), record)).new == 0
        assert await keep.messages.count("s") == 2
