"""A batch is stored in the order of its messages' ids.

Bulk writes that go through a sorted dict; Rasa PR#13019.
"""

from agentkeep.records import Append, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "messages"
CLAUSE = "ORD-2"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> list[MessageRecord]:
        if not append.caller_ids:
            return await super().append(scope, append)
        return await super().append(
            scope, replace(append, messages=sorted(append.messages, key=lambda draft: draft.id))
        )


class TestFault(OverMemory):
    messages = Messages
