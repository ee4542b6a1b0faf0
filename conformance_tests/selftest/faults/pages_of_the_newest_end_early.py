"""Who reads a long log backwards gets what is in the session's own document, and then "that is all".

Older messages stand elsewhere, and are looked up only if a page is not full.
"""

from collections.abc import Sequence

from agentkeep.records import MessageRange, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "log_shapes"
CLAUSE = "READ-2"
IN_THE_DOCUMENT = 96


class Messages(MemoryMessages):
    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> Sequence[MessageRecord]:
        found = await super().list(scope, session_id, window)
        if not window.newest_first or window.before is None:
            return found
        newest = await super().list(scope, session_id, MessageRange(newest_first=True, limit=IN_THE_DOCUMENT))
        return [each for each in found if each.seq >= newest[-1].seq]


class TestFault(OverMemory):
    messages = Messages
