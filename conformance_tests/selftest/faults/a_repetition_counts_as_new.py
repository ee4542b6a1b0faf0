"""A repeated append says that it stored its messages.

len(messages).
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "idempotency"
CLAUSE = "IDEM-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        result = await super().append(scope, append)
        return result._replace(new=len(result.messages)) if append.stored == "conflict" else result


class TestFault(OverMemory):
    messages = Messages
