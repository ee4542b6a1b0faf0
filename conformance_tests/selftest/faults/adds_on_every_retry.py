"""A repeated append adds to the counters again.

The addition stood outside of the key.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep.spi.outcomes import added
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "counters"
CLAUSE = "CNT-2"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        result = await super().append(scope, append)
        if append.add and append.messages and not result.new:
            entry = self._client.find(scope, append.session_id, self._client.now())
            entry.record = replace(entry.record, counters=added(entry.record.counters, append.add))
        return result


class TestFault(OverMemory):
    messages = Messages
