"""Each instance keeps the sessions it has read and writes them back whole: another one's update is lost.

agno#7479, open-webui#28742: the document is read, changed and written back.
"""

from agentkeep.records import Scope, SessionChanges, SessionRecord
from agentkeep_memory.client import Client
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "sessions"
CLAUSE = "SES-2"


class Sessions(MemorySessions):
    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._read: dict[tuple[str, str], SessionRecord] = {}

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        record = await super().get(scope, session_id)
        return self._read.setdefault((scope.tenant, session_id), record) and record

    async def update(
        self,
        scope: Scope,
        session_id: str,
        changes: SessionChanges,
        *,
        add: dict[str, int] | None = None,
        expected_version: int | None = None,
    ) -> SessionRecord:
        await super().update(scope, session_id, changes, add=add, expected_version=expected_version)
        entry = self._client.database.entries[scope.tenant, session_id]
        read = self._read.pop((scope.tenant, session_id), None)
        if read is not None and "title" not in changes:
            entry.record = replace(entry.record, title=read.title)
        return entry.record


class TestFault(OverMemory):
    sessions = Sessions
