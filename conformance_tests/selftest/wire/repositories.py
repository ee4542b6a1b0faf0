"""The two repositories: each verb is one request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec
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

from .link import Link


class WireSessions:
    def __init__(self, link: Link) -> None:
        self.link = link

    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        return await self.link.call("sessions.create", scope, draft, or_get)

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        return await self.link.call("sessions.get", scope, session_id, again=(session_id,))

    async def get_many(self, scope: Scope, session_ids: Sequence[str]) -> list[SessionRecord]:
        return await self.link.call("sessions.get_many", scope, session_ids, again=(session_ids,))

    async def resume(self, scope: Scope, session_id: str, *, tail: int) -> ResumedRecord:
        return await self.link.call("sessions.resume", scope, session_id, tail, again=(session_id, tail))

    async def update(
        self,
        scope: Scope,
        session_id: str,
        changes: SessionChanges,
        *,
        add: dict[str, int] | None = None,
        expected_version: int | None = None,
    ) -> SessionRecord:
        return await self.link.call("sessions.update", scope, session_id, changes, add, expected_version)

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:
        arguments = (query, order, limit, after)
        return await self.link.call("sessions.list", scope, *arguments, again=arguments)

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        return await self.link.call("sessions.count", scope, query, again=(query,))

    async def touch(self, scope: Scope, session_id: str, *, ttl: timedelta | None) -> SessionRecord:
        return await self.link.call("sessions.touch", scope, session_id, ttl)

    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        return await self.link.call("sessions.fork", scope, fork)

    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[RestoredMessage]
    ) -> None:
        await self.link.call("sessions.restore", scope, record, labels, messages)

    async def delete(self, scope: Scope, session_id: str, *, expected_version: int | None = None) -> bool:
        return await self.link.call("sessions.delete", scope, session_id, expected_version)

    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        return await self.link.call("sessions.delete_many", scope, query, limit)


class WireMessages:
    def __init__(self, link: Link) -> None:
        self.link = link

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        return await self.link.call("messages.append", scope, append, again=repeatable(append))

    async def replace(
        self, scope: Scope, session_id: str, message: MessageDraft, *, expected: str
    ) -> MessageRecord | None:
        return await self.link.call("messages.replace", scope, session_id, message, expected)

    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> list[MessageRecord]:
        return await self.link.call("messages.list", scope, session_id, window, again=(session_id, window))

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        return await self.link.call("messages.get", scope, session_id, message_id, again=(session_id, message_id))

    async def get_many(self, scope: Scope, session_id: str, message_ids: Sequence[str]) -> list[MessageRecord]:
        arguments = (session_id, message_ids)
        return await self.link.call("messages.get_many", scope, *arguments, again=arguments)

    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        return await self.link.call("messages.truncate", scope, session_id, after_seq)

    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        return await self.link.call("messages.trim", scope, session_id, keep_last)

    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        return await self.link.call("messages.pop", scope, session_id)

    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        return await self.link.call("messages.search", scope, query, again=(query,))


def repeatable(append: Append) -> tuple[Append] | None:
    """What may be sent again: IDEM-1 makes a repeated append harmless if its ids are looked for and still there."""
    return (msgspec.structs.replace(append, may_be_stored=True),) if append.is_repeatable else None
