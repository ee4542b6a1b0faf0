"""An append's `add` adds to the version: every counting turn makes every reader's version stale.

One path for all of a session's fields.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "counters"
CLAUSE = "CNT-2"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        result = await super().append(scope, append)
        if append.add and result.new and append.changes is None:
            entry = self._client.find(scope, append.session_id, self._client.now())
            entry.record = replace(entry.record, version=entry.record.version + 1)
        return result


class TestFault(OverMemory):
    messages = Messages
