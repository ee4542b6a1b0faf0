"""A reading asks whether the session is there before it reads: twice the round trips for everybody.

mastra's and others' N+1: a second question for each first one.
"""

from agentkeep.records import MessageRange, MessageRecord, Scope
from over_wire import OverWire
from wire.repositories import WireMessages

FAMILY = "cost"
CLAUSE = "COST-1"


class Messages(WireMessages):
    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> list[MessageRecord]:
        await self.link.call("sessions.get", scope, session_id, again=(session_id,))
        return await super().list(scope, session_id, window)


class TestFault(OverWire):
    messages = Messages
