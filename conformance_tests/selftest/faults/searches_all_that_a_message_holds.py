"""The whole stored message is searched: tool calls, names and metadata too.

An index over the payload, as the first edition's backends had it for tool calls.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "search_words"
CLAUSE = "SRCH-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        drafts = [replace(draft, search_text=draft.payload.casefold()) for draft in append.messages]
        return await super().append(scope, replace(append, messages=drafts))


class TestFault(OverMemory):
    messages = Messages
