"""`updated_after` includes the time that it names.

BETWEEN, and `>=` for `>`: the last row of one export is the first of the next.
"""

from datetime import timedelta

from agentkeep.records import Scope, SessionQuery
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "fidelity"
CLAUSE = "FID-3"


class Sessions(MemorySessions):
    async def count(self, scope: Scope, query: SessionQuery) -> int:
        if query.updated_after is not None:
            query = replace(query, updated_after=query.updated_after - timedelta(microseconds=1))
        return await super().count(scope, query)


class TestFault(OverMemory):
    sessions = Sessions
