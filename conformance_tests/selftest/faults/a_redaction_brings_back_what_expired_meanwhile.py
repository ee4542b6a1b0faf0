"""A redaction looks whether the session lives, waits, and then gives it a new end."""

import asyncio
from datetime import timedelta
from typing import Any

from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "expiry_races"
CLAUSE = "TTL-1"


class Messages(MemoryMessages):
    async def replace(self, scope: Scope, session_id: str, *arguments: Any, **options: Any) -> MessageRecord | None:
        entry = self._client.find_any(scope, session_id, self._client.now())
        await asyncio.sleep(0.05)
        if entry is not None and entry.is_expired(self._client.now()):
            entry.record = replace(entry.record, expires_at=self._client.now() + timedelta(seconds=1))
        return await super().replace(scope, session_id, *arguments, **options)


class TestFault(OverMemory):
    messages = Messages
