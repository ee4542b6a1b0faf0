"""The sessions of a SQLite database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial

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

from agentkeep_sqlite.client import Client, Connection
from agentkeep_sqlite.listing import Listing
from agentkeep_sqlite.rows import from_micros, session_record, session_values
from agentkeep_sqlite.tables import StoredSession, Tables

_MICROSECOND = timedelta(microseconds=1)


class SQLiteSessions:
    def __init__(self, client: Client, tables: Tables) -> None:
        self._client = client
        self._tables = tables
        self._sql = tables.sql
        self._listing = Listing(tables.sql)

    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        return await self._client.write(partial(self._create, scope, draft, or_get))

    def _create(self, scope: Scope, draft: SessionDraft, or_get: bool, db: Connection) -> SessionRecord:
        now = self._tables.now()
        if self._is_taken(db, scope.tenant, draft.id, now):
            if not or_get:
                raise AlreadyExists(draft.id)
            return self._tables.record(db, self._tables.load(db, scope, draft.id, now).key)
        record = begun(draft, from_micros(now))
        self._insert(db, scope.tenant, record, draft.labels)
        return record

    def _insert(self, db: Connection, tenant: str, record: SessionRecord, labels: tuple[str, ...]) -> int:
        """Store a session as it is, without messages, and return its key."""
        values = session_values(record) | {"tenant": tenant, "label_count": len(set(labels))}
        values["key"] = key = _key(db, self._sql["insert_session"], values)
        db.run(self._sql["insert_data"], values)
        self._tables.add_labels(db, key, labels)
        return key

    def _is_taken(self, db: Connection, tenant: str, session_id: str, now: int) -> bool:
        """Whether a session that has not expired has the id. Removes an expired one (SES-4)."""
        row = db.one(self._sql["session_with_id"], {"tenant": tenant, "id": session_id})
        if row is None:
            return False
        key, expires_at = row
        if expires_at is None or expires_at > now:
            return True
        self._tables.remove_session(db, key)
        return False

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        return await self._client.read(partial(self._get, scope, session_id))

    def _get(self, scope: Scope, session_id: str, db: Connection) -> SessionRecord:
        row = db.one(self._sql["get_session"], self._tables.lookup_values(scope, session_id, self._tables.now()))
        if row is None:
            raise SessionNotFound(session_id)
        return session_record(row)

    async def update(
        self, scope: Scope, session_id: str, changes: SessionChanges, *, expected_version: int | None
    ) -> SessionRecord:
        return await self._client.write(partial(self._update, scope, session_id, changes, expected_version))

    def _update(
        self, scope: Scope, session_id: str, changes: SessionChanges, expected_version: int | None, db: Connection
    ) -> SessionRecord:
        now = self._tables.now()
        session = self._tables.load(db, scope, session_id, now)
        check_version(session, expected_version)
        self._tables.touch(db, session, now)
        self._tables.change(db, session, now, changes)
        return self._tables.record(db, session.key)

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:
        sql, values = self._listing.page(scope, query, order, limit=limit, after=after, now=self._tables.now())
        return await self._client.read(lambda db: [session_record(row) for row in db.all(sql, values)])

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        sql, values = self._listing.count(scope, query, now=self._tables.now())
        return await self._client.read(lambda db: db.all(sql, values)[0][0])

    async def touch(
        self, scope: Scope, session_id: str, *, ttl: timedelta | None, idle_ttl: timedelta | None
    ) -> SessionRecord:
        return await self._client.write(partial(self._touch, scope, session_id, ttl, idle_ttl))

    def _touch(
        self, scope: Scope, session_id: str, ttl: timedelta | None, idle_ttl: timedelta | None, db: Connection
    ) -> SessionRecord:
        now = self._tables.now()
        session = self._tables.load(db, scope, session_id, now)
        self._tables.touch(db, session, now)
        if ttl is not None:
            self._tables.set_expiry(db, session, now + ttl // _MICROSECOND)
        elif idle_ttl is not None:
            self._tables.slide(db, session, now, idle_ttl)
        return self._tables.record(db, session.key)

    async def fork(
        self, scope: Scope, session_id: str, *, at_seq: int, new_id: str, ttl: timedelta | None
    ) -> SessionRecord:
        return await self._client.write(partial(self._fork, scope, session_id, at_seq, new_id, ttl))

    def _fork(
        self, scope: Scope, session_id: str, at_seq: int, new_id: str, ttl: timedelta | None, db: Connection
    ) -> SessionRecord:
        now = self._tables.now()
        parent = self._tables.load(db, scope, session_id, now)
        if self._is_taken(db, scope.tenant, new_id, now):
            raise AlreadyExists(new_id)
        values: dict[str, object] = {
            "parent": parent.key,
            "new_id": new_id,
            "at_seq": at_seq,
            "now": now,
            "expires_at": parent.expires_at if ttl is None else _later(now, ttl),
        }
        values["key"] = key = _key(db, self._sql["fork_session"], values)
        for name in ("fork_data", "fork_labels"):
            db.run(self._sql[name], values)
        copied = db.run(self._sql["fork_messages"], values)
        self._tables.count_log(db, StoredSession(key, 1, 0, at_seq, 0, None, None, None), now, removed=-copied)
        return self._tables.record(db, key)

    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[MessageRecord]
    ) -> None:
        await self._client.write(partial(self._restore, scope, record, labels, messages))

    def _restore(
        self,
        scope: Scope,
        record: SessionRecord,
        labels: tuple[str, ...],
        messages: Sequence[MessageRecord],
        db: Connection,
    ) -> None:
        if self._is_taken(db, scope.tenant, record.id, self._tables.now()):
            raise AlreadyExists(record.id)
        key = self._insert(db, scope.tenant, record, labels)
        self._tables.insert_messages(db, key, messages)

    async def delete(self, scope: Scope, session_id: str) -> bool:
        deleted = await self._client.write(partial(self._delete, scope, session_id), changes=(scope.tenant, session_id))
        if deleted:
            await self._client.checkpoint()  # the write-ahead log still holds what was deleted (SES-6)
        return deleted

    def _delete(self, scope: Scope, session_id: str, db: Connection) -> bool:
        try:
            session = self._tables.load(db, scope, session_id, self._tables.now())
        except SessionNotFound:
            return False
        self._tables.remove_session(db, session.key)
        return True

    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        deleted = await self._client.write(partial(self._delete_many, scope, query, limit))
        if deleted:
            await self._client.checkpoint()
        return deleted

    def _delete_many(self, scope: Scope, query: SessionQuery, limit: int, db: Connection) -> int:
        sql, values = self._listing.keys(scope, query, limit=limit, now=self._tables.now())
        found = db.all(sql, values)
        for (key,) in found:
            self._tables.remove_session(db, key)
        return len(found)


def check_version(session: StoredSession, expected: int | None) -> None:
    """Raises `Conflict` (SES-2)."""
    if expected is not None and expected != session.version:
        raise Conflict("the session's version", expected=expected, actual=session.version)


def _later(now: int, ttl: timedelta | None) -> int | None:
    return None if ttl is None else now + ttl // _MICROSECOND


def _key(db: Connection, sql: str, values: Mapping[str, object]) -> int:
    return db.all(sql, values)[0][0]
