"""A copy has its parent's fixed end and no idle time.

A column that came later and was left out of the copy.
"""

from agentkeep.records import Fork, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "expiry"
CLAUSE = "TTL-3"


class Sessions(MemorySessions):
    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        copy = await super().fork(scope, fork)
        if "idle_ttl" in (fork.changes or {}):
            return copy
        return await super().update(scope, fork.new_id, {"idle_ttl": None})


class TestFault(OverMemory):
    sessions = Sessions
