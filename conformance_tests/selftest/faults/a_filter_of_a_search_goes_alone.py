"""Beside a session's id a search looks at no other filter.

A special statement for searches in one session that forgot the rest.
"""

from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "search_words"
CLAUSE = "SRCH-1"


class Messages(MemoryMessages):
    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        if query.session_id is not None:
            query = replace(query, user_id=None, agent_name=None, role=None)
        return await super().search(scope, query)


class TestFault(OverMemory):
    messages = Messages
