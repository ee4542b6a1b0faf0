"""A batch is stored in the order of its messages' ids.

Bulk writes that go through a sorted dict; Rasa PR#13019.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "messages"
CLAUSE = "ORD-2"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        if not append.may_be_stored:
            return await super().append(scope, append)
        return await super().append(
            scope, replace(append, messages=sorted(append.messages, key=lambda draft: draft.id))
        )


class TestFault(OverMemory):
    messages = Messages
