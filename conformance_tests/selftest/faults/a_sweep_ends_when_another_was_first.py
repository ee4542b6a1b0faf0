"""A step of a sweep finds expired sessions and removes those that are still there, which another sweep left.

Then it removed fewer than it was asked for, which means that there are no more. MongoDB and OpenSearch did this.
"""

import asyncio

from agentkeep.records import Scope
from over import Memory, OverMemory

FAMILY = "steps"
CLAUSE = "TTL-2"


class Adapter(Memory):
    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        entries, now = self._client.database.entries, self._client.now()
        due = [key for key, entry in entries.items() if entry.is_expired(now) and scope in (None, Scope(key[0]))]
        found = due[:limit]
        await asyncio.sleep(0)
        left = [key for key in found if key in entries]
        return await super().sweep(scope, limit=len(left)) if left else 0


class TestFault(OverMemory):
    adapter = Adapter
