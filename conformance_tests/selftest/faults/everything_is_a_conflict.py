"""`create` of an existing id raises `Conflict`, as everything does that the database refuses.

google/adk-python#2950: a second create was error 500.
"""

from agentkeep.errors import AlreadyExists, Conflict
from agentkeep.records import Scope, SessionDraft, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "errors"
CLAUSE = "ERR-1"


class Sessions(MemorySessions):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:

        try:
            return await super().create(scope, draft, or_get=or_get)
        except AlreadyExists as error:
            raise Conflict("message_id", "create", expected="no session", actual=draft.id) from error


class TestFault(OverMemory):
    sessions = Sessions
