"""Message ids lose the space around them.

py-key-value's planted fault.
"""

from agentkeep.records import Append, AppendedRecord, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "isolation"
CLAUSE = "ISO-2"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        drafts = [replace(draft, id=draft.id.strip() or draft.id) for draft in append.messages]
        return await super().append(scope, replace(append, messages=drafts))

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        return await super().get(scope, session_id, message_id.strip() or message_id)


class TestFault(OverMemory):
    messages = Messages
