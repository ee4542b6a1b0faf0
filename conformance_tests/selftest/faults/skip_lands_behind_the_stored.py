"""The result has the stored messages first and then the new ones, not in the call's order.

Two lists, joined.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "skipping"
CLAUSE = "IDEM-3"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        result = await super().append(scope, append)
        return result._replace(messages=sorted(result.messages, key=lambda each: each.seq))


class TestFault(OverMemory):
    messages = Messages
