"""A session that is used through `get_or_create` takes the keep's idle time.

The first edition: an append through a keep with a larger idle_ttl turned 2 s into 100 s.
"""

from agentkeep.records import Scope, SessionDraft, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "expiry"
CLAUSE = "TTL-3"


class Sessions(MemorySessions):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        found = await super().create(scope, draft, or_get=or_get)
        if found.idle_ttl == draft.idle_ttl:
            return found
        return await super().update(scope, draft.id, {"idle_ttl": draft.idle_ttl})


class TestFault(OverMemory):
    sessions = Sessions
