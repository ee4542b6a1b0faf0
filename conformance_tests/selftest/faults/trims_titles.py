"""A title loses the space around it.

py-key-value's planted fault; CHAR columns, and pydantic's strip_whitespace.
"""

from agentkeep.records import Scope, SessionDraft, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "fidelity"
CLAUSE = "FID-2"


class Sessions(MemorySessions):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        return await super().create(scope, replace(draft, title=draft.title and draft.title.strip()), or_get=or_get)


class TestFault(OverMemory):
    sessions = Sessions
