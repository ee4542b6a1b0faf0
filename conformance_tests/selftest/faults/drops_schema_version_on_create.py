"""`create` keeps every field but `schema_version`.

google/adk-python#2856: a field of the model had no column, and was there in memory alone.
"""

from agentkeep.records import Scope, SessionDraft, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "sessions"
CLAUSE = "SES-1"


class Sessions(MemorySessions):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        return await super().create(scope, replace(draft, schema_version=None), or_get=or_get)


class TestFault(OverMemory):
    sessions = Sessions
