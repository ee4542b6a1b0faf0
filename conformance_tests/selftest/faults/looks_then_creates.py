"""`create` in two steps: it looks, finds nothing, and makes what may be there by now.

oai#2722, adk#4954: two workers create one session on first use, and both are told that it is theirs.
"""

import asyncio

from agentkeep import AlreadyExists, SessionNotFound
from agentkeep.records import Scope, SessionDraft, SessionRecord
from over_wire import OverWire
from wire.repositories import WireSessions

FAMILY = "processes"
CLAUSE = "SES-1"


class Sessions(WireSessions):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        if not or_get:
            try:
                await self.get(Scope(scope.tenant), draft.id)
            except SessionNotFound:
                await asyncio.sleep(0.01)  # on one idle machine the gap is too short to be met each time
                return await super().create(Scope(scope.tenant), draft, or_get=True)
            raise AlreadyExists(draft.id)
        return await super().create(scope, draft, or_get=True)


class TestFault(OverWire):
    sessions = Sessions
