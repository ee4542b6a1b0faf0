"""A failing database looks like an empty one: a read that could not be made says that there is no session.

F1 of the field's bugs: errors turned into "not found", after which the agent begins anew.
"""

from agentkeep import SessionNotFound, Unavailable
from agentkeep.records import Scope, SessionRecord
from over_wire import OverWire
from wire.repositories import WireSessions

FAMILY = "faults"
CLAUSE = "ERR-1"


class Sessions(WireSessions):
    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        try:
            return await super().get(scope, session_id)
        except Unavailable as error:
            raise SessionNotFound(session_id) from error


class TestFault(OverWire):
    sessions = Sessions
