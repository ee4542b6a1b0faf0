"""A fork copies what lands while it is made, beyond its own last seq.

Copies in several statements without a snapshot.
"""

import asyncio
from datetime import timedelta

from agentkeep.records import Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "concurrency"
CLAUSE = "SES-5"


class Sessions(MemorySessions):
    async def fork(
        self, scope: Scope, session_id: str, *, at_seq: int, new_id: str, ttl: timedelta | None
    ) -> SessionRecord:
        parent = self._tables.living(scope, session_id, self._clock())
        whole = at_seq == parent.record.last_seq
        await asyncio.sleep(0)
        record = await super().fork(scope, session_id, at_seq=at_seq, new_id=new_id, ttl=ttl)
        if whole:
            self._tables.entries[scope.tenant, new_id].log = list(parent.log)
        return record


class TestFault(OverMemory):
    sessions = Sessions
