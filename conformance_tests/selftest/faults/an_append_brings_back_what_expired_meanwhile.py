"""An append looks whether the session lives, waits, and then slides its end.

SQLite's adapter judged at the start and slid at COMMIT: 21 of 50 sessions that readers had seen as gone came back.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, bring_back_late

FAMILY = "expiry_races"
CLAUSE = "TTL-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        await bring_back_late(self._client, scope, append.session_id)
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
