"""`count` counts up to 1,000.

socorro PR#6867: a total that ends at the search engine's window.
"""

from agentkeep.records import Scope, SessionQuery
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "order_paging"
CLAUSE = "READ-1"


class Sessions(MemorySessions):
    async def count(self, scope: Scope, query: SessionQuery) -> int:
        return min(1_000, await super().count(scope, query))


class TestFault(OverMemory):
    sessions = Sessions
