"""A page of sessions reads the messages of each, and drops them.

F4: a list of conversations that loads all of them.
"""

from agentkeep.records import MessageRange, Scope, SessionOrder, SessionPosition, SessionQuery, SessionRecord
from over_wire import OverWire
from wire.repositories import WireSessions

FAMILY = "cost"
CLAUSE = "READ-5"


class Sessions(WireSessions):
    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:
        found = await super().list(scope, query, order, limit=limit, after=after)
        for record in found:
            window = MessageRange(limit=1000)
            await self.link.call("messages.list", scope, record.id, window, again=(record.id, window))
        return found


class TestFault(OverWire):
    sessions = Sessions
