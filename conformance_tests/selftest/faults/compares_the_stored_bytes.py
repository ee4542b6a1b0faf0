"""Whether content is the same is decided by the stored bytes.

The first edition: a wrapper with a fresh nonce turned each retry into a conflict.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "wrapped"
CLAUSE = "WRAP-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        drafts = [replace(draft, content_key=draft.payload) for draft in append.messages]
        return await super().append(scope, replace(append, messages=drafts))


class TestFault(OverMemory):
    messages = Messages
