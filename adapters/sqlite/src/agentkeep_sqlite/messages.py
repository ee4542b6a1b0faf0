"""The messages of a SQLite database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial

from agentkeep.errors import Conflict, MessageNotFound, SessionNotFound
from agentkeep.records import Append, HitRecord, MessageDraft, MessageRange, MessageRecord, Scope, SearchQuery

from agentkeep_sqlite.client import Client, Connection
from agentkeep_sqlite.rows import from_micros, message_record, to_micros
from agentkeep_sqlite.search import Search
from agentkeep_sqlite.sessions import check_version
from agentkeep_sqlite.tables import MAX_INTEGER, StoredSession, Tables
from agentkeep_sqlite.watch import watch


class SQLiteMessages:
    def __init__(self, client: Client, tables: Tables) -> None:
        self._client = client
        self._tables = tables
        self._sql = tables.sql
        self._search = Search(client, tables)

    async def append(self, scope: Scope, append: Append) -> list[MessageRecord]:
        return await self._client.write(partial(self._append, scope, append), changes=(scope.tenant, append.session_id))

    def _append(self, scope: Scope, append: Append, db: Connection) -> list[MessageRecord]:
        """In the order that `records.Append` states."""
        now = self._tables.now()
        session = self._tables.load(db, scope, append.session_id, now)
        if append.caller_ids and (stored := self._stored_before(db, session.key, append.messages)):
            return stored
        check_version(session, append.expected_version)
        if append.expected_last_seq not in (None, session.last_seq):
            raise Conflict("the session's last seq", expected=append.expected_last_seq, actual=session.last_seq)
        removed = 0
        if append.truncate_after is not None:
            removed = self._tables.remove_messages(db, session.key, after=append.truncate_after)
        added = self._insert(db, session, append, now)
        if append.changes is not None:
            self._tables.change(db, session, now, append.changes)
        if append.keep_last is not None:
            removed += self._keep_last(db, session.key, append.keep_last)
        self._count(db, session, now, added, removed)
        if append.idle_ttl is not None:
            self._tables.slide(db, session, now, append.idle_ttl)
        return added

    def _stored_before(self, db: Connection, key: int, drafts: Sequence[MessageDraft]) -> list[MessageRecord]:
        """The stored messages of a repeated batch, or nothing for a new one (IDEM-1). Raises `Conflict`."""
        rows = [db.one(self._sql["stored_message"], {"key": key, "id": draft.id}) for draft in drafts]
        found = [message_record(row) for row in rows if row is not None]
        if found and len(found) < len(drafts):
            raise Conflict("a batch of which some ids are stored", expected="all or none", actual=f"{len(found)}")
        for stored, draft in zip(found, drafts, strict=False):
            if (stored.role, stored.payload) != (draft.role, draft.payload):
                raise Conflict(f"message {draft.id!r} is stored", expected="the same content", actual="other content")
        return found

    def _insert(self, db: Connection, session: StoredSession, append: Append, now: int) -> list[MessageRecord]:
        stamp = from_micros(now)
        added = [
            MessageRecord(
                id=draft.id, seq=seq, role=draft.role, payload=draft.payload, created_at=draft.created_at or stamp
            )
            for seq, draft in enumerate(append.messages, session.last_seq + 1)
        ]
        self._tables.insert_messages(db, session.key, added)
        return added

    def _keep_last(self, db: Connection, key: int, keep_last: int) -> int:
        oldest = db.one(self._sql["first_kept"], {"key": key, "keep_last": keep_last})
        return 0 if oldest is None else self._tables.remove_messages(db, key, before=oldest[0])

    def _count(
        self, db: Connection, session: StoredSession, now: int, added: list[MessageRecord], removed: int
    ) -> None:
        """The newest message is the last one added. If none was added, it has to be looked up."""
        newest = to_micros(added[-1].created_at) if added else None
        self._tables.count_log(db, session, now, removed=removed, added=len(added), newest=newest)

    async def replace(
        self, scope: Scope, session_id: str, message_id: str, *, role: str, payload: str, expected: MessageRecord
    ) -> MessageRecord | None:
        replaced = await self._client.write(
            partial(self._replace, scope, session_id, message_id, role, payload, expected)
        )
        if replaced is not None:
            await self._client.checkpoint()  # the write-ahead log still holds the redacted text
        return replaced

    def _replace(
        self,
        scope: Scope,
        session_id: str,
        message_id: str,
        role: str,
        payload: str,
        expected: MessageRecord,
        db: Connection,
    ) -> MessageRecord | None:
        now = self._tables.now()
        session = self._tables.load(db, scope, session_id, now)
        row = db.one(self._sql["stored_message"], {"key": session.key, "id": message_id})
        if row is None:
            raise MessageNotFound(session_id, message_id)
        stored = message_record(row)
        if (stored.role, stored.payload) != (expected.role, expected.payload):
            return None
        values = {"key": session.key, "id": message_id, "role": role, "payload": payload}
        ((key, *replaced),) = db.all(self._sql["replace_message"], values)
        self._search.reindex(db, key, payload)
        self._tables.touch(db, session, now)
        return message_record(replaced)

    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> list[MessageRecord]:
        return await self._client.read(partial(self._list, scope, session_id, window))

    def _list(self, scope: Scope, session_id: str, window: MessageRange, db: Connection) -> list[MessageRecord]:
        values = self._tables.lookup_values(scope, session_id, self._tables.now())
        values["after"] = window.after
        values["before"] = MAX_INTEGER if window.before is None else window.before
        values["limit"] = window.limit
        rows = db.all(self._sql["list_backward" if window.newest_first else "list_forward"], values)
        if not rows:
            raise SessionNotFound(session_id)
        return [] if rows[0][0] is None else [message_record(row) for row in rows]

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        return await self._client.read(partial(self._get, scope, session_id, message_id))

    def _get(self, scope: Scope, session_id: str, message_id: str, db: Connection) -> MessageRecord:
        values = self._tables.lookup_values(scope, session_id, self._tables.now()) | {"message_id": message_id}
        row = db.one(self._sql["get_message"], values)
        if row is None:
            raise SessionNotFound(session_id)
        if row[0] is None:
            raise MessageNotFound(session_id, message_id)
        return message_record(row)

    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        return await self._client.write(
            partial(self._truncate, scope, session_id, after_seq), changes=(scope.tenant, session_id)
        )

    def _truncate(self, scope: Scope, session_id: str, after_seq: int, db: Connection) -> int:
        now = self._tables.now()
        session = self._tables.load(db, scope, session_id, now)
        removed = self._tables.remove_messages(db, session.key, after=after_seq)
        self._tables.count_log(db, session, now, removed=removed)
        return removed

    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        return await self._client.write(
            partial(self._trim, scope, session_id, keep_last), changes=(scope.tenant, session_id)
        )

    def _trim(self, scope: Scope, session_id: str, keep_last: int, db: Connection) -> int:
        now = self._tables.now()
        session = self._tables.load(db, scope, session_id, now)
        if keep_last:
            removed = self._keep_last(db, session.key, keep_last)
        else:
            removed = self._tables.remove_messages(db, session.key)
        self._tables.count_log(db, session, now, removed=removed)
        return removed

    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        return await self._client.write(partial(self._pop, scope, session_id), changes=(scope.tenant, session_id))

    def _pop(self, scope: Scope, session_id: str, db: Connection) -> MessageRecord | None:
        now = self._tables.now()
        session = self._tables.load(db, scope, session_id, now)
        row = db.one(self._sql["newest"], {"key": session.key})
        if row is None:
            self._tables.touch(db, session, now)
            return None
        popped = message_record(row)
        self._tables.remove_messages(db, session.key, after=popped.seq - 1)
        self._tables.count_log(db, session, now, removed=1)
        return popped

    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        return await self._search.find(scope, query)

    def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        return watch(self._client, self._tables, scope, session_id, after_seq)
