"""`get_or_create` gives the existing session the new call's title.

mastra#16216: saving a thread replaced what was stored with what the caller happened to have.
"""

from agentkeep.records import Scope, SessionChanges, SessionDraft, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "sessions"
CLAUSE = "SES-1"


class Sessions(MemorySessions):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        found = await super().create(scope, draft, or_get=or_get)
        if found.title == draft.title:
            return found
        return await self.update(scope, found.id, SessionChanges(title=draft.title), expected_version=None)


class TestFault(OverMemory):
    sessions = Sessions
