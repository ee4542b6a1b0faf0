"""Each life begins at version 1: a writer of the life before is taken for one of this life.

Issue 10: delete and create, and update(expected_version=2) succeeded.
"""

from agentkeep.records import Scope, SessionDraft, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "versions"
CLAUSE = "SES-2"


class Sessions(MemorySessions):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        return await super().create(scope, replace(draft, version=1), or_get=or_get)


class TestFault(OverMemory):
    sessions = Sessions
