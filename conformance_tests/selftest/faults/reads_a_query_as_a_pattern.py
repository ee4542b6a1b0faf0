"""`%` and `*` in a query stand for any text.

open-webui#27221, hermes#11511: LIKE's and FTS5's syntax in the user's hand.
"""

from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "searching"
CLAUSE = "SRCH-1"


class Messages(MemoryMessages):
    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:

        words = tuple(word for word in query.words if word.strip("%*"))
        return await super().search(scope, replace(query, words=words or ("ωωω",)))


class TestFault(OverMemory):
    messages = Messages
