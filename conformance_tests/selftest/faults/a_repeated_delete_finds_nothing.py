"""A delete whose answer was lost is sent again, and says that there was no session: the first sending removed it."""

from agentkeep.records import Scope
from over_wire import OverWire
from wire.repositories import WireSessions

FAMILY = "faults"
CLAUSE = "ERR-2"


class Sessions(WireSessions):
    async def delete(self, scope: Scope, session_id: str, *, expected_version: int | None = None) -> bool:
        arguments = (session_id, expected_version)
        return await self.link.call("sessions.delete", scope, *arguments, again=arguments)


class TestFault(OverWire):
    sessions = Sessions
