"""`create` looks whether the id is free and then writes: of two at once the second replaces the first.

openai-agents#2722, google/adk-python#4954.
"""

import asyncio

from agentkeep.records import Scope, SessionDraft, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "concurrency"
CLAUSE = "SES-1"


class Sessions(MemorySessions):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:

        if or_get or (scope.tenant, draft.id) in self._client.database.entries:
            return await super().create(scope, draft, or_get=or_get)
        await asyncio.sleep(0)
        self._client.database.entries.pop((scope.tenant, draft.id), None)
        return await super().create(scope, draft)


class TestFault(OverMemory):
    sessions = Sessions
