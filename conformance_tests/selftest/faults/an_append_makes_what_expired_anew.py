"""An append to a session that is gone makes it anew, for all processes to see.

An upsert.
"""

from agentkeep import SessionNotFound
from agentkeep.records import Append, AppendedRecord, Scope, SessionDraft
from over_wire import OverWire
from wire.repositories import WireMessages

FAMILY = "expiry_races"
CLAUSE = "TTL-1"


class Messages(WireMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        try:
            return await super().append(scope, append)
        except SessionNotFound:
            await self.link.call("sessions.create", scope, _draft(append.session_id), True)
            return await super().append(scope, append)


def _draft(session_id: str) -> SessionDraft:
    return SessionDraft(
        id=session_id,
        user_id=None,
        agent_name=None,
        title=None,
        state="{}",
        metadata="{}",
        labels=(),
        parent_id=None,
        schema_version=None,
        ttl=None,
        idle_ttl=None,
        version=1,
    )


class TestFault(OverWire):
    messages = Messages
