"""A copy of each session goes to a place that belongs to no namespace, and stays there.

py-key-value: `destroy()` and prefixes that do not meet all that was written.
"""

from agentkeep.records import Scope, SessionDraft, SessionRecord
from over_wire import OverWire
from wire.link import ask_once
from wire.repositories import WireSessions

FAMILY = "erasure"
CLAUSE = "ISO-3"


class Sessions(WireSessions):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        created = await super().create(scope, draft, or_get=or_get)
        host, port = self.link.address
        await ask_once(f"wire://{host}:{port}", "beside", "sessions.create", scope, draft, True)
        return created


class TestFault(OverWire):
    sessions = Sessions
