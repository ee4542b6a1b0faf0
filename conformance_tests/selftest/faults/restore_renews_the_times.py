"""A restored session was created when it was restored.

HenriGrimm/Minnow PR#699: what the move dropped.
"""

from collections.abc import Sequence

from agentkeep.records import RestoredMessage, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "archive"
CLAUSE = "FID-3"


class Sessions(MemorySessions):
    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[RestoredMessage]
    ) -> None:

        await super().restore(scope, replace(record, created_at=self._client.now()), labels, messages)


class TestFault(OverMemory):
    sessions = Sessions
