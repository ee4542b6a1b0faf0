"""A fork fetches the whole log of its parent over the network, and sends the beginning back.

The client made the copy.
"""

from agentkeep.records import Fork, MessageRange, Scope, SessionRecord
from over_wire import OverWire
from wire.repositories import WireSessions

FAMILY = "forks"
CLAUSE = "SES-5"


class Sessions(WireSessions):
    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        window = MessageRange(limit=100_000)
        await self.link.call("messages.list", scope, fork.session_id, window, again=(fork.session_id, window))
        return await super().fork(scope, fork)


class TestFault(OverWire):
    sessions = Sessions
