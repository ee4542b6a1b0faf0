"""A session restored over an expired one keeps that one's index entries.

langgraph-redis PR#203.
"""

from collections.abc import Sequence

from agentkeep.records import RestoredMessage, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "archive"
CLAUSE = "SES-4"


class Sessions(MemorySessions):
    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[RestoredMessage]
    ) -> None:

        old = self._client.database.entries.get((scope.tenant, record.id))
        await super().restore(scope, record, labels, messages)
        if old is not None:
            self._client.database.entries[scope.tenant, record.id].labels |= old.labels


class TestFault(OverMemory):
    sessions = Sessions
