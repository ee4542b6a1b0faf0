"""A tail that holds the whole log comes newest first.

google/adk-python#6272: the order depends on which query ran.
"""

from collections.abc import Sequence

from agentkeep.records import MessageRange, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "reading"
CLAUSE = "READ-3"


class Messages(MemoryMessages):
    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> Sequence[MessageRecord]:
        found = await super().list(scope, session_id, window)
        whole = window.newest_first and window.after == 0 and window.before is None and len(found) < window.limit
        return found[::-1] if whole else found


class TestFault(OverMemory):
    messages = Messages
