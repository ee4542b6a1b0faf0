"""A tail reads the whole log and drops all but its end.

F4: growth is the top complaint in production; a turn costs what the conversation is long.
"""

import msgspec
from agentkeep.records import MessageRange, MessageRecord, Scope
from over_wire import OverWire
from wire.repositories import WireMessages

FAMILY = "cost"
CLAUSE = "READ-3"


class Messages(WireMessages):
    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> list[MessageRecord]:
        everything = msgspec.structs.replace(window, limit=10**9)
        return (await super().list(scope, session_id, everything))[: window.limit]


class TestFault(OverWire):
    messages = Messages
