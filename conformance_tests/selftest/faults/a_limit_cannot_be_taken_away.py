"""An update to no time to live changes nothing.

`if ttl:` instead of `if 'ttl' in fields`.
"""

from typing import Any

from agentkeep.records import Scope, SessionChanges, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "expiry"
CLAUSE = "TTL-3"


class Sessions(MemorySessions):
    async def update(self, scope: Scope, session_id: str, changes: SessionChanges, **options: Any) -> SessionRecord:
        kept: Any = {name: value for name, value in changes.items() if name not in ("ttl", "idle_ttl") or value}
        return await super().update(scope, session_id, kept, **options)


class TestFault(OverMemory):
    sessions = Sessions
