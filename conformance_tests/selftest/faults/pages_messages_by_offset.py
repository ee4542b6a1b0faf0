"""`after` is taken for a number of messages to skip.

A log kept as a list, and a cursor that is an index into it.
"""

from collections.abc import Sequence

from agentkeep.records import MessageRange, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "order_paging"
CLAUSE = "READ-2"


class Messages(MemoryMessages):
    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> Sequence[MessageRecord]:
        if window.newest_first or window.after == 0:
            return await super().list(scope, session_id, window)
        found = await super().list(scope, session_id, replace(window, after=0, limit=1_000_000))
        return found[window.after :][: window.limit]


class TestFault(OverMemory):
    messages = Messages
