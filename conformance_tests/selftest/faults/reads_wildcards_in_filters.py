"""A user filter is a pattern: `%` and `*` stand for anything.

LangGraph's planted fault: LIKE 'id%'; Redis's SCAN MATCH.
"""

from fnmatch import fnmatchcase

from agentkeep.records import Scope, SessionQuery
from agentkeep_memory.listing import matching
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "isolation"
CLAUSE = "ISO-2"


class Sessions(MemorySessions):
    async def count(self, scope: Scope, query: SessionQuery) -> int:
        if query.user_id is None or not set("%*?") & set(query.user_id):
            return await super().count(scope, query)
        pattern = query.user_id.replace("%", "*")
        found = matching(self._client.visible(scope, self._client.now()), replace(query, user_id=None))
        return sum(fnmatchcase(entry.record.user_id or "", pattern) for entry in found)


class TestFault(OverMemory):
    sessions = Sessions
