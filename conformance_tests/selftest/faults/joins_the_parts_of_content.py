"""The parts of a message's content are searched as one text without a gap.

A `"".join` of the parts.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "search_words"
CLAUSE = "SRCH-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        drafts = [replace(draft, search_text=draft.search_text.replace("\n", "")) for draft in append.messages]
        return await super().append(scope, replace(append, messages=drafts))


class TestFault(OverMemory):
    messages = Messages
