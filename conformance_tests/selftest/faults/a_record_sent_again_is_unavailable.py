"""A record that arrives twice meets the unique index and is called unavailable: its caller retries for ever.

Issue 10: SQLite's and PostgreSQL's `Unavailable: UNIQUE …`.
"""

from agentkeep import Unavailable
from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "resending"
CLAUSE = "IDEM-2"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        entry = self._client.find_any(scope, append.session_id, self._client.now())
        if entry and not append.may_be_stored and any(draft.id in entry.by_id for draft in append.messages):
            raise Unavailable("UNIQUE constraint failed: message.id")
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
