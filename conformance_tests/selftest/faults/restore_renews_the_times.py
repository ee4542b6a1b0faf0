"""A restored session was created when it was restored.

HenriGrimm/Minnow PR#699: what the move dropped.
"""

from collections.abc import Sequence

from agentkeep.records import MessageRecord, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "archive"
CLAUSE = "FID-3"


class Sessions(MemorySessions):
    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[MessageRecord]
    ) -> None:

        await super().restore(scope, replace(record, created_at=self._clock()), labels, messages)


class TestFault(OverMemory):
    sessions = Sessions
