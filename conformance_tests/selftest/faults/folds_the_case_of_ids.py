"""Message ids are kept in lower case: two that differ by case are one.

py-key-value's and LangGraph's planted faults; MySQL's collations.
"""

from agentkeep.records import Append, AppendedRecord, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "isolation"
CLAUSE = "ISO-2"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        drafts = [replace(draft, id=draft.id.lower()) for draft in append.messages]
        return await super().append(scope, replace(append, messages=drafts))

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        return await super().get(scope, session_id, message_id.lower())


class TestFault(OverMemory):
    messages = Messages
