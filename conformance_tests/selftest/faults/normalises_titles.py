"""A title comes back in Unicode's composed form.

File systems, and search engines that store what they index.
"""

from unicodedata import normalize

from agentkeep.records import Scope, SessionDraft, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "fidelity"
CLAUSE = "FID-2"


class Sessions(MemorySessions):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        title = draft.title and normalize("NFC", draft.title)
        return await super().create(scope, replace(draft, title=title), or_get=or_get)


class TestFault(OverMemory):
    sessions = Sessions
