"""`delete_many` finds its sessions, and then removes them whether or not they still match its filter."""

import asyncio
from itertools import islice

from agentkeep.records import Scope, SessionQuery
from agentkeep_memory.listing import matching
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "bulk_races"
CLAUSE = "SES-2"


class Sessions(MemorySessions):
    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        entries = matching(self._client.visible(scope, self._client.now()), query)
        found = [entry.record.id for entry in islice(entries, limit)]
        await asyncio.sleep(0.01)
        for session_id in found:
            self._client.remove(scope.tenant, session_id)
        return len(found)


class TestFault(OverMemory):
    sessions = Sessions
