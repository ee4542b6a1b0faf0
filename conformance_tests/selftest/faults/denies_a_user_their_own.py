"""Through a user's view, `pop` finds no session, the user's own included.

Row-level policies that name a column which that query does not set.
"""

from agentkeep.errors import SessionNotFound
from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Messages(MemoryMessages):
    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        if scope.user_id is not None:
            raise SessionNotFound(session_id)
        return await super().pop(scope, session_id)


class TestFault(OverMemory):
    messages = Messages
