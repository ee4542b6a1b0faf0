"""Each instance keeps the sessions that it read: what another instance writes is not seen.

mweibel#145, better-auth#10884: a find behind a create looks where the create did not go.
"""

from agentkeep.records import Scope, SessionRecord
from over_wire import OverWire
from wire.link import Link
from wire.repositories import WireSessions

FAMILY = "stateful"
CLAUSE = "ORD-5"


class Sessions(WireSessions):
    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self._read: dict[tuple[Scope, str], SessionRecord] = {}

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        if (scope, session_id) not in self._read:
            self._read[scope, session_id] = await super().get(scope, session_id)
        return self._read[scope, session_id]


class TestFault(OverWire):
    sessions = Sessions
