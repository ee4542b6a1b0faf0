"""A redaction looks whether the session lives, waits, and then gives it a new end."""

from typing import Any

from agentkeep.records import MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, bring_back_late

FAMILY = "expiry_races"
CLAUSE = "TTL-1"


class Messages(MemoryMessages):
    async def replace(self, scope: Scope, session_id: str, *arguments: Any, **options: Any) -> MessageRecord | None:
        await bring_back_late(self._client, scope, session_id)
        return await super().replace(scope, session_id, *arguments, **options)


class TestFault(OverMemory):
    messages = Messages
