"""A range includes its upper bound.

Ranges whose ends are inclusive here and exclusive there.
"""

from collections.abc import Sequence

from agentkeep.records import MessageRange, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "reading"
CLAUSE = "READ-1"


class Messages(MemoryMessages):
    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> Sequence[MessageRecord]:
        if window.before is not None and not window.newest_first:
            window = replace(window, before=window.before + 1)
        return await super().list(scope, session_id, window)


class TestFault(OverMemory):
    messages = Messages
