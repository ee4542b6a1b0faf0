"""An append looks for its session and then makes it: the second of two racing callers replaces the first one's.

SELECT, then INSERT OR REPLACE.
"""

import asyncio

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "creating"
CLAUSE = "SES-7"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        now = self._client.now()
        absent = self._client.find_any(scope, append.session_id, now) is None
        if append.create is not None and absent:
            await asyncio.sleep(0)
            self._client.database.entries.pop((scope.tenant, append.session_id), None)
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
