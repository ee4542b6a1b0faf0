"""The sessions of a memory database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from heapq import nlargest, nsmallest

import msgspec
from agentkeep.errors import AlreadyExists, Conflict, SessionNotFound
from agentkeep.records import (
    MessageRecord,
    Scope,
    SessionChanges,
    SessionDraft,
    SessionOrder,
    SessionPosition,
    SessionQuery,
    SessionRecord,
    begun,
)
from agentkeep.spi.clock import Clock

from agentkeep_memory.tables import Entry, Tables, changed, is_expired, slide


class MemorySessions:
    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        with self._tables.lock:
            now = self._clock()
            existing = self._tables.entries.get((scope.tenant, draft.id))
            if existing is not None and not is_expired(existing, now):
                if not or_get:
                    raise AlreadyExists(draft.id)
                return self._tables.living(scope, draft.id, now).record
            record = begun(draft, now)
            self._tables.entries[scope.tenant, draft.id] = Entry(record, frozenset(draft.labels))
            return record

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        with self._tables.lock:
            return self._tables.living(scope, session_id, self._clock()).record

    async def update(
        self, scope: Scope, session_id: str, changes: SessionChanges, *, expected_version: int | None
    ) -> SessionRecord:
        with self._tables.lock:
            now = self._clock()
            entry = self._tables.living(scope, session_id, now)
            check_version(entry, expected_version)
            changed(entry, now, changes)
            return entry.record

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:
        def position(record: SessionRecord) -> tuple[object, bytes]:
            return (record.updated_at if order.field == "updated_at" else record.created_at, record.id.encode())

        with self._tables.lock:
            records = (entry.record for entry in self._tables.matching(scope, query, self._clock()))
            if after is None:
                behind = records
            elif order.descending:
                behind = (record for record in records if position(record) < (after.at, after.id.encode()))
            else:
                behind = (record for record in records if position(record) > (after.at, after.id.encode()))
            return (nlargest if order.descending else nsmallest)(limit, behind, key=position)

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        with self._tables.lock:
            return sum(1 for _ in self._tables.matching(scope, query, self._clock()))

    async def touch(
        self, scope: Scope, session_id: str, *, ttl: timedelta | None, idle_ttl: timedelta | None
    ) -> SessionRecord:
        with self._tables.lock:
            now = self._clock()
            entry = self._tables.living(scope, session_id, now)
            changed(entry, now, None)
            if ttl is None:
                slide(entry, now, idle_ttl)
            else:
                entry.record = msgspec.structs.replace(entry.record, expires_at=now + ttl)
            return entry.record

    async def fork(
        self, scope: Scope, session_id: str, *, at_seq: int, new_id: str, ttl: timedelta | None
    ) -> SessionRecord:
        with self._tables.lock:
            now = self._clock()
            parent = self._tables.living(scope, session_id, now)
            existing = self._tables.entries.get((scope.tenant, new_id))
            if existing is not None and not is_expired(existing, now):
                raise AlreadyExists(new_id)
            log = [message for message in parent.log if message.seq <= at_seq]
            record = msgspec.structs.replace(
                parent.record,
                id=new_id,
                title=None,
                status="active",
                current_route=None,
                current_step=None,
                parent_id=session_id,
                forked_at_seq=at_seq,
                version=1,
                message_count=len(log),
                last_seq=at_seq,
                created_at=now,
                updated_at=now,
                last_message_at=log[-1].created_at if log else None,
                completed_at=None,
                expires_at=parent.record.expires_at if ttl is None else now + ttl,
            )
            copy = Entry(record, parent.labels, log, {message.id: message for message in log})
            self._tables.entries[scope.tenant, new_id] = copy
            return record

    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[MessageRecord]
    ) -> None:
        with self._tables.lock:
            existing = self._tables.entries.get((scope.tenant, record.id))
            if existing is not None and not is_expired(existing, self._clock()):
                raise AlreadyExists(record.id)
            by_id = {message.id: message for message in messages}
            self._tables.entries[scope.tenant, record.id] = Entry(record, frozenset(labels), list(messages), by_id)
            self._tables.notifiers.notify((scope.tenant, record.id))

    async def delete(self, scope: Scope, session_id: str) -> bool:
        with self._tables.lock:
            try:
                self._tables.living(scope, session_id, self._clock())
            except SessionNotFound:
                return False
            del self._tables.entries[scope.tenant, session_id]
            self._tables.notifiers.notify((scope.tenant, session_id))
            return True

    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        with self._tables.lock:
            found = [entry.record.id for entry in self._tables.matching(scope, query, self._clock())][:limit]
            for session_id in found:
                del self._tables.entries[scope.tenant, session_id]
                self._tables.notifiers.notify((scope.tenant, session_id))
            return len(found)


def check_version(entry: Entry, expected: int | None) -> None:
    if expected is not None and expected != entry.record.version:
        raise Conflict("the session's version", expected=expected, actual=entry.record.version)
