"""Reading a session slides its idle time.

Redis recipes renew a key's time at each GET.
"""

from agentkeep.records import Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "expiry"
CLAUSE = "TTL-3"


class Sessions(MemorySessions):
    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        return await super().touch(scope, session_id, ttl=None)


class TestFault(OverMemory):
    sessions = Sessions
