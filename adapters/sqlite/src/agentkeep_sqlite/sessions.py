"""The sessions of a SQLite database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from agentkeep.errors import AlreadyExists, OutcomeUnknown, PersistenceError, SessionNotFound
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
    expiry,
    new_session,
)
from agentkeep.spi.outcomes import check_owner, forked_at, forked_session, version_conflict
from msgspec.structs import replace

from agentkeep_sqlite.client import MAX_SHORT, Client, Connection
from agentkeep_sqlite.listing import Listing
from agentkeep_sqlite.rows import (
    from_micros,
    message_records,
    optional_time,
    restored_values,
    session_record,
    session_records,
    session_values,
)
from agentkeep_sqlite.tables import MAX_INTEGER, StoredSession, Tables, lookup_values


class SQLiteSessions:
    def __init__(self, client: Client, tables: Tables) -> None:
        self._client = client
        self._tables = tables
        self._sql = tables.sql
        self._listing = Listing(tables)

    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        return await self._client.write(partial(self._create, scope, draft, or_get))

    def _create(self, scope: Scope, draft: SessionDraft, or_get: bool, db: Connection) -> SessionRecord:
        if self._tables.is_taken(db, scope, draft.id):
            existing = self._tables.load_any(db, scope, draft.id)
            if existing is None or not or_get:
                raise AlreadyExists(draft.id)
            check_owner(scope, draft, existing.user_id)
            return self._tables.record(db, existing.key)
        record = new_session(draft, from_micros(db.now))
        self._tables.insert(db, scope.tenant, record, draft.labels)
        return record

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        return await self._client.read(partial(self._get, scope, session_id), is_short=True)

    def _get(self, scope: Scope, session_id: str, db: Connection) -> SessionRecord:
        row = db.one(self._sql["get_session"], lookup_values(scope, session_id, db))
        if row is None:
            raise self._tables.not_found(db, scope, session_id)
        return session_record(row)

    async def get_many(self, scope: Scope, session_ids: Sequence[str]) -> list[SessionRecord]:
        is_short = len(session_ids) <= MAX_SHORT
        return await self._client.read(partial(self._get_many, scope, session_ids), is_short=is_short)

    def _get_many(self, scope: Scope, session_ids: Sequence[str], db: Connection) -> list[SessionRecord]:
        self._tables.check_settled(db)
        values = {"tenant": scope.tenant, "user_id": scope.user_id, "ids": json.dumps(session_ids), "now": db.now}
        return session_records(db.all(self._sql["get_sessions"], values))

    async def resume(self, scope: Scope, session_id: str, *, tail: int) -> ResumedRecord:
        return await self._client.read(partial(self._resume, scope, session_id, tail), is_short=tail <= MAX_SHORT)

    def _resume(self, scope: Scope, session_id: str, tail: int, db: Connection) -> ResumedRecord:
        with db.snapshot():
            session = self._get(scope, session_id, db)
            values = lookup_values(scope, session_id, db) | {"after": 0, "before": MAX_INTEGER, "limit": tail}
            rows = db.all(self._sql["list_backward"], values)
        return ResumedRecord(session, [] if rows[0][0] is None else message_records(session_id, rows))

    async def update(
        self,
        scope: Scope,
        session_id: str,
        changes: SessionChanges,
        *,
        add: dict[str, int] | None = None,
        expected_version: int | None = None,
    ) -> SessionRecord:
        return await self._client.write(partial(self._update, scope, session_id, changes, add, expected_version))

    def _update(
        self,
        scope: Scope,
        session_id: str,
        changes: SessionChanges,
        add: dict[str, int] | None,
        expected_version: int | None,
        db: Connection,
    ) -> SessionRecord:
        session = self._tables.load(db, scope, session_id)
        check_version(session, expected_version)
        return self._tables.update(db, session, changes, add=add)

    def _list(
        self,
        scope: Scope,
        query: SessionQuery,
        order: SessionOrder,
        limit: int,
        after: SessionPosition | None,
        db: Connection,
    ) -> tuple[list[SessionRecord], bool]:
        return self._listing.page(scope, query, order, limit, after, db), self._listing.has_expired(db)

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:
        reading = partial(self._list, scope, query, order, limit, after)
        page, passed_expired = await self._client.read(reading, is_short=limit <= MAX_SHORT)
        if passed_expired:
            await self._client.run_when_idle(self._listing.unlist_expired)
        return page

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        """Counts in steps, so that other reads get their turn in between (COST-3)."""
        count, position = 0, None
        while True:
            counted, position = await self._client.read(partial(self._listing.count_step, scope, query, position))
            count += counted
            if position is None:
                return count

    async def touch(self, scope: Scope, session_id: str, *, ttl: timedelta | None) -> SessionRecord:
        return await self._client.write(partial(self._touch, scope, session_id, ttl))

    def _touch(self, scope: Scope, session_id: str, ttl: timedelta | None, db: Connection) -> SessionRecord:
        session = self._tables.load(db, scope, session_id)
        record = self._tables.record(db, session.key)
        moment = from_micros(session.moment(db.now))
        ends_at = record.ends_at if ttl is None else moment + ttl
        expires_at = expiry(ends_at, record.idle_ttl, moment)
        record = replace(record, updated_at=moment, ends_at=ends_at, expires_at=expires_at)
        values = session_values(record) | {"key": session.key, "label_count": session.label_count}
        db.run(self._sql["update_session"], values)
        if session.label_count:
            db.run(self._sql["update_labels"], values)
        return record

    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        return await self._client.write(partial(self._fork, scope, fork))

    def _fork(self, scope: Scope, fork: Fork, db: Connection) -> SessionRecord:
        parent = self._tables.load(db, scope, fork.session_id)
        if self._tables.is_taken(db, scope, fork.new_id):
            raise AlreadyExists(fork.new_id)
        at_seq = forked_at(fork, parent.last_seq)
        values = {"key": parent.key, "at_seq": at_seq}
        count = db.all(self._sql["count_up_to"], values)[0][0]
        last = optional_time(self._tables.newest_time(db, parent.key, at_seq))
        stored = self._tables.record(db, parent.key)
        record = forked_session(stored, fork, from_micros(db.now), count=count, last_message_at=last)
        labels = (fork.changes or {}).get("labels")
        copied = parent.label_count if labels is None else 0
        key = self._tables.insert(db, scope.tenant, record, labels or (), copied_labels=copied)
        values = {"key": key, "parent": parent.key, "at_seq": at_seq, "version": fork.version}
        if copied:
            db.run(self._sql["copy_labels"], values)
        db.run(self._sql["copy_messages"], values)
        return record

    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[RestoredMessage]
    ) -> None:
        work = partial(self._restore, scope, record, labels, messages)
        await self._client.write(work, changes=(scope.tenant, record.id))

    def _restore(
        self,
        scope: Scope,
        record: SessionRecord,
        labels: tuple[str, ...],
        messages: Sequence[RestoredMessage],
        db: Connection,
    ) -> None:
        if self._tables.is_taken(db, scope, record.id):
            raise AlreadyExists(record.id)
        key = self._tables.insert(db, scope.tenant, record, labels)
        if messages:
            rows = [restored_values(key, record.version, message) for message in messages]
            db.many(self._sql["insert_message"], rows)

    async def delete(self, scope: Scope, session_id: str, *, expected_version: int | None = None) -> bool:
        work = partial(self._delete, scope, session_id, expected_version)
        deleted = await self._client.write(work, changes=(scope.tenant, session_id))
        if deleted:
            await self._remove_rest(1)
        return deleted

    def _delete(self, scope: Scope, session_id: str, expected_version: int | None, db: Connection) -> bool:
        try:
            session = self._tables.load(db, scope, session_id)
        except SessionNotFound:
            return False
        check_version(session, expected_version)
        self._tables.remove_sessions(db, [(session.key, session.message_count)])
        return True

    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        deleted = await self._client.write_step(partial(self._delete_many, scope, query, limit))
        if deleted:
            self._client.notifier.notify_all()
            await self._remove_rest(deleted)
        return deleted

    def _delete_many(self, scope: Scope, query: SessionQuery, limit: int, db: Connection) -> int:
        found = self._listing.keys(scope, query, limit, db)
        self._tables.remove_sessions(db, found)
        return len(found)

    async def _remove_rest(self, deleted: int) -> None:
        """Remove the messages that are left of deleted sessions, in steps, then what the log holds of them (SES-6)."""
        try:
            while await self._client.write_step(self._tables.remove_step):
                pass
        except PersistenceError as error:
            what = "the sessions are deleted, but some of their messages are still in the file: run keep.sweep()"
            raise OutcomeUnknown(what, done=deleted) from error
        await self._client.checkpoint()


def check_version(session: StoredSession, expected: int | None) -> None:
    """Raises `Conflict` (SES-2)."""
    if expected is not None and expected != session.version:
        raise version_conflict(expected, session.version)
