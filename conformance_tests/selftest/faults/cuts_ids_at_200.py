"""Message ids are cut at 200 characters: two that begin alike are one.

openai-agents#4741: unbounded ids in a bounded column.
"""

from agentkeep.records import Append, AppendedRecord, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "isolation"
CLAUSE = "ISO-2"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        drafts = [replace(draft, id=draft.id[:200]) for draft in append.messages]
        return await super().append(scope, replace(append, messages=drafts))

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        return await super().get(scope, session_id, message_id[:200])


class TestFault(OverMemory):
    messages = Messages
