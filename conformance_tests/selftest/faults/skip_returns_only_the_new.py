"""The result of a skipping append leaves out what was stored before.

RETURNING gives what was inserted.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "skipping"
CLAUSE = "IDEM-3"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        result = await super().append(scope, append)
        new = result.messages[len(result.messages) - result.new :]
        return result._replace(messages=new) if append.stored == "skip" else result


class TestFault(OverMemory):
    messages = Messages
