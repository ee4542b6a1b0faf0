"""The agent filter of a search is not looked at.

Filters of a listing that the search never got.
"""

from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "searching"
CLAUSE = "SRCH-1"


class Messages(MemoryMessages):
    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:

        return await super().search(scope, replace(query, agent_name=None))


class TestFault(OverMemory):
    messages = Messages
