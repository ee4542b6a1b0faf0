"""Restoring replaces the session that lives under the id.

Imports by upsert.
"""

from collections.abc import Sequence

from agentkeep.records import RestoredMessage, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "archive"
CLAUSE = "SES-1"


class Sessions(MemorySessions):
    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[RestoredMessage]
    ) -> None:

        self._client.database.entries.pop((scope.tenant, record.id), None)
        await super().restore(scope, record, labels, messages)


class TestFault(OverMemory):
    sessions = Sessions
