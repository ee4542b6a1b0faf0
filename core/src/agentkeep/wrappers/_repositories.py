"""Repositories that hand each verb to those of the adapter inside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Protocol, cast

from agentkeep.protocol import (
    MessageRepository,
    PersistenceAdapter,
    SessionRepository,
    SupportsSearch,
    SupportsWatch,
)
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


class Wraps(Protocol):
    """What has an adapter inside."""

    @property
    def inner(self) -> PersistenceAdapter: ...


class SessionsWrapper(SessionRepository):
    """The sessions of the adapter inside; see `SessionRepository` for what each verb does."""

    def __init__(self, wrapper: Wraps) -> None:
        self.wrapper = wrapper
        """The wrapper to which this repository belongs: what the verbs need can be kept there."""

    @property
    def inner(self) -> SessionRepository:
        """Read at each call: an adapter may make its repositories in `open`."""
        return self.wrapper.inner.sessions

    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        return await self.inner.create(scope, draft, or_get=or_get)

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        return await self.inner.get(scope, session_id)

    async def get_many(self, scope: Scope, session_ids: Sequence[str]) -> Sequence[SessionRecord]:
        return await self.inner.get_many(scope, session_ids)

    async def resume(self, scope: Scope, session_id: str, *, tail: int) -> ResumedRecord:
        return await self.inner.resume(scope, session_id, tail=tail)

    async def update(
        self,
        scope: Scope,
        session_id: str,
        changes: SessionChanges,
        *,
        add: dict[str, int] | None = None,
        expected_version: int | None = None,
    ) -> SessionRecord:
        return await self.inner.update(scope, session_id, changes, add=add, expected_version=expected_version)

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> Sequence[SessionRecord]:
        return await self.inner.list(scope, query, order, limit=limit, after=after)

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        return await self.inner.count(scope, query)

    async def touch(self, scope: Scope, session_id: str, *, ttl: timedelta | None) -> SessionRecord:
        return await self.inner.touch(scope, session_id, ttl=ttl)

    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        return await self.inner.fork(scope, fork)

    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[RestoredMessage]
    ) -> None:
        await self.inner.restore(scope, record, labels, messages)

    async def delete(self, scope: Scope, session_id: str, *, expected_version: int | None = None) -> bool:
        return await self.inner.delete(scope, session_id, expected_version=expected_version)

    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        return await self.inner.delete_many(scope, query, limit=limit)


class MessagesWrapper(MessageRepository):
    """The messages of the adapter inside; see `MessageRepository` for what each verb does."""

    def __init__(self, wrapper: Wraps) -> None:
        self.wrapper = wrapper
        """The wrapper to which this repository belongs: what the verbs need can be kept there."""

    @property
    def inner(self) -> MessageRepository:
        """Read at each call: an adapter may make its repositories in `open`."""
        return self.wrapper.inner.messages

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        return await self.inner.append(scope, append)

    async def replace(
        self, scope: Scope, session_id: str, message: MessageDraft, *, expected: str
    ) -> MessageRecord | None:
        return await self.inner.replace(scope, session_id, message, expected=expected)

    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> Sequence[MessageRecord]:
        return await self.inner.list(scope, session_id, window)

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        return await self.inner.get(scope, session_id, message_id)

    async def get_many(self, scope: Scope, session_id: str, message_ids: Sequence[str]) -> Sequence[MessageRecord]:
        return await self.inner.get_many(scope, session_id, message_ids)

    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        return await self.inner.truncate(scope, session_id, after_seq=after_seq)

    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        return await self.inner.trim(scope, session_id, keep_last=keep_last)

    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        return await self.inner.pop(scope, session_id)

    async def search(self, scope: Scope, query: SearchQuery) -> Sequence[HitRecord]:
        """Called only if the adapter declares `search`."""
        return await cast("SupportsSearch", self.inner).search(scope, query)

    def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        """Called only if the adapter declares `watch`."""
        return cast("SupportsWatch", self.inner).watch(scope, session_id, after_seq=after_seq)
