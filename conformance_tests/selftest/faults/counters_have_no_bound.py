"""A counter grows over 2^53 - 1, which doubles can't hold exactly.

Redis' Lua, JavaScript.
"""

from agentkeep.records import Scope, SessionChanges, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "counters"
CLAUSE = "CNT-2"


class Sessions(MemorySessions):
    async def update(
        self,
        scope: Scope,
        session_id: str,
        changes: SessionChanges,
        *,
        add: dict[str, int] | None = None,
        expected_version: int | None = None,
    ) -> SessionRecord:
        record = await self.get(scope, session_id)
        counters = {name: record.counters.get(name, 0) + amount for name, amount in (add or {}).items()}
        result = await super().update(scope, session_id, changes, expected_version=expected_version)
        entry = self._client.find(scope, session_id, self._client.now())
        entry.record = replace(result, counters={**record.counters, **counters})
        return entry.record


class TestFault(OverMemory):
    sessions = Sessions
