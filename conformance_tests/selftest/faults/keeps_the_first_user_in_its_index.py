"""A user's listing goes on showing a session that was given to another user.

langgraph-redis PR#203: index entries are made with the session and never moved.
"""

from agentkeep.records import Scope, SessionDraft, SessionOrder, SessionPosition, SessionQuery, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory, beside

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Sessions(MemorySessions):
    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:

        found = await super().list(scope, query, order, limit=limit, after=after)
        first: dict[tuple[str, str], str | None] = beside(self._client.database)
        for (tenant, name), entry in self._client.database.entries.items():
            first.setdefault((tenant, name), entry.record.user_id)
            mine = tenant == scope.tenant and scope.user_id is not None and first[tenant, name] == scope.user_id
            if mine and entry.record.user_id != scope.user_id:
                found.append(entry.record)
        return found

    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        record = await super().create(scope, draft, or_get=or_get)
        beside(self._client.database).setdefault((scope.tenant, draft.id), record.user_id)
        return record


class TestFault(OverMemory):
    sessions = Sessions
