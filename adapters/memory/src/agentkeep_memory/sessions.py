"""The sessions of a memory database."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from datetime import timedelta
from itertools import islice

import msgspec
from agentkeep.errors import AlreadyExists, SessionNotFound
from agentkeep.records import (
    Fork,
    RestoredMessage,
    ResumedRecord,
    Scope,
    SessionChanges,
    SessionDraft,
    SessionOrder,
    SessionPosition,
    SessionQuery,
    SessionRecord,
    new_session,
)
from agentkeep.spi.outcomes import added, check_owner, forked_at, forked_session, version_conflict

from agentkeep_memory.client import Client
from agentkeep_memory.listing import matching, page
from agentkeep_memory.rows import Entry, seq_of, stored_message


class MemorySessions:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        with self._client.lock:
            now = self._client.now()
            existing = self._client.find_any(scope, draft.id, now)
            if existing is not None:
                if not or_get:
                    raise AlreadyExists(draft.id)
                check_owner(scope, draft, existing.record.user_id)
                return existing.record
            record = new_session(draft, now)
            self._client.put(scope, Entry(record, frozenset(draft.labels)))
            return record

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        with self._client.lock:
            return self._client.find(scope, session_id, self._client.now()).record

    async def get_many(self, scope: Scope, session_ids: Sequence[str]) -> list[SessionRecord]:
        with self._client.lock:
            now = self._client.now()
            found = [self._client.find_any(scope, session_id, now) for session_id in session_ids]
            return [entry.record for entry in found if entry and scope.user_id in (None, entry.record.user_id)]

    async def resume(self, scope: Scope, session_id: str, *, tail: int) -> ResumedRecord:
        with self._client.lock:
            entry = self._client.find(scope, session_id, self._client.now())
            return ResumedRecord(entry.record, entry.log[-tail:][::-1])

    async def update(
        self,
        scope: Scope,
        session_id: str,
        changes: SessionChanges,
        *,
        add: dict[str, int] | None = None,
        expected_version: int | None = None,
    ) -> SessionRecord:
        with self._client.lock:
            now = self._client.now()
            entry = self._client.find(scope, session_id, now)
            check_version(entry, expected_version)
            if add is not None:
                entry.record = msgspec.structs.replace(entry.record, counters=added(entry.record.counters, add))
            entry.touch(now, changes)
            return entry.record

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:
        with self._client.lock:
            found = matching(self._client.visible(scope, self._client.now()), query)
            return page((entry.record for entry in found), order, limit=limit, after=after)

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        with self._client.lock:
            return sum(1 for _ in matching(self._client.visible(scope, self._client.now()), query))

    async def touch(self, scope: Scope, session_id: str, *, ttl: timedelta | None) -> SessionRecord:
        with self._client.lock:
            now = self._client.now()
            entry = self._client.find(scope, session_id, now)
            if ttl is not None:
                ends_at = max(now, entry.record.updated_at) + ttl
                entry.record = msgspec.structs.replace(entry.record, ends_at=ends_at)
            entry.touch(now, slide=True)
            return entry.record

    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        with self._client.lock:
            now = self._client.now()
            parent = self._client.find(scope, fork.session_id, now)
            self._client.check_free(scope, fork.new_id, now)
            end = bisect_right(parent.log, forked_at(fork, parent.record.last_seq), key=seq_of)
            log = [msgspec.structs.replace(message, version=fork.version) for message in parent.log[:end]]
            last = log[-1].created_at if log else None
            record = forked_session(parent.record, fork, now, count=len(log), last_message_at=last)
            labels = (fork.changes or {}).get("labels")
            copy = Entry(record, parent.labels if labels is None else frozenset(labels))
            copy.add(log)
            self._client.put(scope, copy)
            return record

    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[RestoredMessage]
    ) -> None:
        with self._client.lock:
            now = self._client.now()
            self._client.check_free(scope, record.id, now)
            entry = Entry(record, frozenset(labels))
            entry.add([stored_message(each, seq=each.seq, version=record.version, now=now) for each in messages])
            self._client.put(scope, entry)

    async def delete(self, scope: Scope, session_id: str, *, expected_version: int | None = None) -> bool:
        with self._client.lock:
            try:
                entry = self._client.find(scope, session_id, self._client.now())
            except SessionNotFound:
                return False
            check_version(entry, expected_version)
            self._client.remove(scope.tenant, session_id)
            return True

    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        with self._client.lock:
            entries = matching(self._client.visible(scope, self._client.now()), query)
            found = [entry.record.id for entry in islice(entries, limit)]
            for session_id in found:
                self._client.remove(scope.tenant, session_id)
        await asyncio.sleep(0)  # the next step comes after whoever waits (COST-3)
        return len(found)


def check_version(entry: Entry, expected: int | None) -> None:
    if expected is not None and expected != entry.record.version:
        raise version_conflict(expected, entry.record.version)
