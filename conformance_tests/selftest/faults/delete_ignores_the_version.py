"""`delete` looks at no version: what was written since it was seen is gone.

An option that reached the facade and not the statement.
"""

from agentkeep.records import Scope
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "versions"
CLAUSE = "SES-2"


class Sessions(MemorySessions):
    async def delete(self, scope: Scope, session_id: str, *, expected_version: int | None = None) -> bool:
        return await super().delete(scope, session_id)


class TestFault(OverMemory):
    sessions = Sessions
