"""An append looks whether the session lives, waits, and then slides its end.

SQLite's adapter judged at the start and slid at COMMIT: 21 of 50 sessions that readers had seen as gone came back.
"""

import asyncio
from datetime import timedelta

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "expiry_races"
CLAUSE = "TTL-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        entry = self._client.find_any(scope, append.session_id, self._client.now())
        await asyncio.sleep(0.05)
        if entry is not None and entry.is_expired(self._client.now()):
            entry.record = replace(entry.record, expires_at=self._client.now() + timedelta(seconds=1))
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
