"""An instance keeps each page that it has listed until it changes a session itself, and knows nothing of others."""

from typing import Any

from agentkeep.records import Scope, SessionDraft, SessionOrder, SessionPosition, SessionQuery, SessionRecord
from agentkeep_memory.client import Client
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "by_turns"
CLAUSE = "SES-2"


class Sessions(MemorySessions):
    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._pages: dict[object, list[SessionRecord]] = {}

    async def create(self, scope: Scope, draft: SessionDraft, **options: Any) -> SessionRecord:
        self._pages.clear()
        return await super().create(scope, draft, **options)

    async def update(self, scope: Scope, session_id: str, *given: Any, **options: Any) -> SessionRecord:
        self._pages.clear()
        return await super().update(scope, session_id, *given, **options)

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:
        page = (scope, repr(query), order, limit, after)
        if page not in self._pages:
            self._pages[page] = await super().list(scope, query, order, limit=limit, after=after)
        return self._pages[page]


class TestFault(OverMemory):
    sessions = Sessions
