"""An adapter as somebody outside writes it: checked by the type checker, never run.

It stands on core's public names alone; if this file needs a change, every stranger's adapter does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any, Self

from agentkeep import Capabilities, Health, Keep, PersistenceAdapter
from agentkeep.protocol import SupportsSearch, SupportsWatch
from agentkeep.records import (
    Append,
    AppendedRecord,
    Fork,
    HitRecord,
    MessageDraft,
    MessageRange,
    MessageRecord,
    RestoredMessage,
    ResumedRecord,
    Scope,
    SearchQuery,
    SessionChanges,
    SessionDraft,
    SessionOrder,
    SessionPosition,
    SessionQuery,
    SessionRecord,
)


class DuckSessions:
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        raise NotImplementedError

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        raise NotImplementedError

    async def get_many(self, scope: Scope, session_ids: Sequence[str]) -> Sequence[SessionRecord]:
        raise NotImplementedError

    async def resume(self, scope: Scope, session_id: str, *, tail: int) -> ResumedRecord:
        raise NotImplementedError

    async def update(
        self,
        scope: Scope,
        session_id: str,
        changes: SessionChanges,
        *,
        add: dict[str, int] | None = None,
        expected_version: int | None = None,
    ) -> SessionRecord:
        raise NotImplementedError

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:
        raise NotImplementedError

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        raise NotImplementedError

    async def touch(self, scope: Scope, session_id: str, *, ttl: timedelta | None) -> SessionRecord:
        raise NotImplementedError

    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        raise NotImplementedError

    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[RestoredMessage]
    ) -> None:
        raise NotImplementedError

    async def delete(self, scope: Scope, session_id: str, *, expected_version: int | None = None) -> bool:
        raise NotImplementedError

    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        raise NotImplementedError


class DuckMessages:
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        raise NotImplementedError

    async def replace(
        self, scope: Scope, session_id: str, message: MessageDraft, *, expected: str
    ) -> MessageRecord | None:
        raise NotImplementedError

    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> list[MessageRecord]:
        raise NotImplementedError

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        raise NotImplementedError

    async def get_many(self, scope: Scope, session_id: str, message_ids: Sequence[str]) -> Sequence[MessageRecord]:
        raise NotImplementedError

    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        raise NotImplementedError

    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        raise NotImplementedError

    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        raise NotImplementedError

    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        raise NotImplementedError

    async def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        raise NotImplementedError
        yield


class DuckAdapter:
    name = "duck"
    capabilities = Capabilities(search=True, watch=True)

    def __init__(self) -> None:
        self.sessions = DuckSessions()
        self.messages = DuckMessages()

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        return cls()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def health(self) -> Health:
        raise NotImplementedError

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        return 0


adapter: PersistenceAdapter = DuckAdapter()
searches: SupportsSearch = DuckMessages()
watches: SupportsWatch = DuckMessages()
keep = Keep(DuckAdapter())
