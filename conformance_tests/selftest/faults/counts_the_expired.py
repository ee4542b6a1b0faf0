"""`count` counts expired sessions until they are swept.

A count that asks the index, and an index that knows no expiry.
"""

from datetime import UTC, datetime

from agentkeep.records import Scope, SessionQuery
from agentkeep_memory.listing import matching
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "ttl"
CLAUSE = "TTL-1"


class Sessions(MemorySessions):
    async def count(self, scope: Scope, query: SessionQuery) -> int:
        return sum(1 for _ in matching(self._client.visible(scope, datetime.min.replace(tzinfo=UTC)), query))


class TestFault(OverMemory):
    sessions = Sessions
