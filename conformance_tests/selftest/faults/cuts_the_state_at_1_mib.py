"""A state over 1 MiB is stored as an empty one.

agno#3923, Firestore: a limit that nobody declared.
"""

from agentkeep.records import Scope, SessionDraft, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "capabilities"
CLAUSE = "FID-4"


class Sessions(MemorySessions):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:

        state = draft.state if len(draft.state) <= 2**20 else "{}"
        return await super().create(scope, replace(draft, state=state), or_get=or_get)


class TestFault(OverMemory):
    sessions = Sessions
