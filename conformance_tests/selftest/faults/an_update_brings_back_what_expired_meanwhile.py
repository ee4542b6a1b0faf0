"""An update looks whether the session lives, waits, and then gives it a new end."""

from typing import Any

from agentkeep.records import Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, bring_back_late

FAMILY = "expiry_races"
CLAUSE = "TTL-1"


class Sessions(MemorySessions):
    async def update(self, scope: Scope, session_id: str, *arguments: Any, **options: Any) -> SessionRecord:
        await bring_back_late(self._client, scope, session_id)
        return await super().update(scope, session_id, *arguments, **options)


class TestFault(OverMemory):
    sessions = Sessions
