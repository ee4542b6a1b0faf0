"""An append with options first looks up the session.

A loop of `get`, `SessionNotFound`, `create`, `append`.
"""

from agentkeep import SessionNotFound
from agentkeep.records import Append, AppendedRecord, Scope
from over_wire import OverWire
from wire.repositories import WireMessages

FAMILY = "cost_reads"
CLAUSE = "COST-1"


class Messages(WireMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        if append.create is not None or append.add is not None or append.stored == "skip":
            try:
                await self.link.call("sessions.get", scope, append.session_id)
            except SessionNotFound:
                if append.create is None:
                    raise
        return await super().append(scope, append)


class TestFault(OverWire):
    messages = Messages
