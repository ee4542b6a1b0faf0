"""`messages.get_many` of an absent session finds nothing, instead of saying that there is no session.

A SELECT without a join.
"""

from collections.abc import Sequence

from agentkeep import SessionNotFound
from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "lookups"
CLAUSE = "ERR-1"


class Messages(MemoryMessages):
    async def get_many(self, scope: Scope, session_id: str, message_ids: Sequence[str]) -> Sequence[MessageRecord]:
        try:
            return await super().get_many(scope, session_id, message_ids)
        except SessionNotFound:
            return []


class TestFault(OverMemory):
    messages = Messages
