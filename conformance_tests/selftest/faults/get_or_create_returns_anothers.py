"""`get_or_create` looks at the id alone: Bob gets Ann's session.

LibreChat, Chainlit: a thread id that was guessed.
"""

from agentkeep.records import Scope, SessionDraft, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "creating"
CLAUSE = "ISO-4"


class Sessions(MemorySessions):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        anybodys = replace(draft, user_id=None) if or_get else draft
        return await super().create(Scope(scope.tenant) if or_get else scope, anybodys, or_get=or_get)


class TestFault(OverMemory):
    sessions = Sessions
