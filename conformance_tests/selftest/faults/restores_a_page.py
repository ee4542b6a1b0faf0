"""Of a long log the newest 1,000 messages are restored.

google/adk-python#3559.
"""

from collections.abc import Sequence

from agentkeep.records import RestoredMessage, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "archive"
CLAUSE = "READ-1"


class Sessions(MemorySessions):
    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[RestoredMessage]
    ) -> None:

        await super().restore(scope, record, labels, messages[-1_000:])


class TestFault(OverMemory):
    sessions = Sessions
