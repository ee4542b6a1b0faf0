"""A new session is not given its idle time.

The first edition kept it on the keep.
"""

from agentkeep.records import Scope, SessionDraft, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "expiry"
CLAUSE = "TTL-3"


class Sessions(MemorySessions):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        return await super().create(scope, replace(draft, idle_ttl=None), or_get=or_get)


class TestFault(OverMemory):
    sessions = Sessions
