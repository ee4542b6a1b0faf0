"""The messages of a SQLite database."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from functools import partial

from agentkeep.errors import MessageNotFound, Refused, SessionNotFound
from agentkeep.records import (
    Append,
    AppendedRecord,
    HitRecord,
    MessageDraft,
    MessageRange,
    MessageRecord,
    Scope,
    SearchQuery,
    new_session,
)
from agentkeep.spi.outcomes import (
    batch_conflict,
    check_owner,
    check_visible,
    has_condition,
    last_seq_conflict,
    message_id_conflict,
    new_message,
    version_conflict,
)

from agentkeep_sqlite.client import MAX_SHORT, Client, Connection, Row
from agentkeep_sqlite.errors import is_duplicate
from agentkeep_sqlite.rows import from_micros, message_record, message_records, message_values, to_micros
from agentkeep_sqlite.search import Search
from agentkeep_sqlite.tables import MAX_INTEGER, LogChange, StoredSession, Tables, lookup_values
from agentkeep_sqlite.watch import watch


class StoredMessages:
    """The messages of an append that the session holds already."""

    def __init__(self, session_id: str, rows: Sequence[Row]) -> None:
        self.records = {record.id: record for record in message_records(session_id, rows)}
        self.content_keys = {row[0]: row[6] for row in rows}
        self.versions = {row[0]: row[5] for row in rows}


class SQLiteMessages:
    def __init__(self, client: Client, tables: Tables) -> None:
        self._client = client
        self._tables = tables
        self._sql = tables.sql
        self._search = Search(client, tables)

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        look_up = append.may_be_stored or has_condition(append)
        try:
            return await self._write_append(scope, append, look_up=look_up)
        except Refused as error:
            if look_up or not is_duplicate(error):
                raise
        return await self._write_append(scope, append, look_up=True)  # the same record was sent before (IDEM-2)

    async def _write_append(self, scope: Scope, append: Append, *, look_up: bool) -> AppendedRecord:
        work = partial(self._append, scope, append, look_up)
        return await self._client.write(work, changes=(scope.tenant, append.session_id))

    def _append(self, scope: Scope, append: Append, look_up: bool, db: Connection) -> AppendedRecord:
        """The steps of `records.Append`, in that order."""
        session, is_new = self._session_for(db, scope, append)
        stored = self._stored(db, session, append) if look_up and append.messages and not is_new else None
        if stored and len(stored.records) == len(append.messages):
            return _repeated(stored, append)
        version = 0 if is_new else session.version
        if append.expected_version not in (None, version):
            raise version_conflict(append.expected_version or 0, version)
        if append.expected_last_seq not in (None, session.last_seq):
            raise last_seq_conflict(append.expected_last_seq or 0, session.last_seq)
        removed = 0
        if append.truncate_after is not None:
            removed = self._tables.remove_messages(db, session.key, after=append.truncate_after)
        new = self._insert(db, session, append, stored)
        if append.keep_last is not None:
            count = session.message_count - removed + len(new)
            removed += self._remove_oldest(db, session.key, count - append.keep_last, count)
        version = self._update_session(db, session, append, new, removed)
        by_id = {**(stored.records if stored else {}), **{message.id: message for message in new}}
        messages = [by_id[draft.id] for draft in append.messages] if stored else new
        return AppendedRecord(messages, version, session.last_seq + len(new), len(new))

    def _session_for(self, db: Connection, scope: Scope, append: Append) -> tuple[StoredSession, bool]:
        """The session to append to, and whether it is new (SES-4, SES-7, ISO-4)."""
        session = self._tables.load_any(db, scope, append.session_id)
        if session is not None:
            if append.create is not None:
                check_owner(scope, append.create, session.user_id)
            check_visible(scope, append.session_id, session.user_id)
            return session, False
        if append.create is None:
            raise SessionNotFound(append.session_id)
        self._tables.is_taken(db, scope, append.session_id)  # removes an expired session of that id
        record = new_session(append.create, from_micros(db.now))
        self._tables.insert(db, scope.tenant, record, append.create.labels)
        return self._tables.load(db, scope, append.session_id), True

    def _stored(self, db: Connection, session: StoredSession, append: Append) -> StoredMessages | None:
        """The call's messages that the session holds (IDEM-1, IDEM-3). Raises `Conflict`."""
        ids = json.dumps([draft.id for draft in append.messages])
        rows = db.all(self._sql["stored_messages"], {"key": session.key, "ids": ids})
        if not rows:
            return None
        stored = StoredMessages(append.session_id, rows)
        if append.stored == "conflict":
            if len(rows) < len(append.messages):
                raise batch_conflict(len(rows), len(append.messages))
            for draft in append.messages:
                if stored.content_keys[draft.id] != draft.content_key:
                    raise message_id_conflict(draft.id)
        return stored

    def _insert(
        self, db: Connection, session: StoredSession, append: Append, stored: StoredMessages | None
    ) -> list[MessageRecord]:
        drafts = append.messages
        if stored is not None:
            drafts = [draft for draft in drafts if draft.id not in stored.records]
        if not drafts:
            return []
        now = from_micros(db.now)
        version = session.version + (append.changes is not None)
        new = [new_message(draft, seq, now) for seq, draft in enumerate(drafts, session.last_seq + 1)]
        rows = [message_values(session.key, version, *each) for each in zip(new, drafts, strict=True)]
        db.many(self._sql["insert_message"], rows)
        return new

    def _update_session(
        self, db: Connection, session: StoredSession, append: Append, new: list[MessageRecord], removed: int
    ) -> int:
        """Returns the session's version as of this commit."""
        is_newest_known = bool(new) and append.keep_last != 0
        newest = to_micros(new[-1].created_at) if is_newest_known else self._tables.newest_time(db, session.key)
        log = LogChange(len(new), removed, newest)
        if append.changes is None:
            self._tables.update_log(db, session, log, add=append.add, slides=True)
            return session.version
        return self._tables.update(db, session, append.changes, add=append.add, log=log).version

    def _remove_oldest(self, db: Connection, key: int, excess: int, count: int) -> int:
        """Remove the `excess` oldest of `count` messages. It reads these alone: what stays may be a long log."""
        if excess <= 0:
            return 0
        if excess >= count:
            return self._tables.remove_messages(db, key)
        first_kept = db.all(self._sql["seq_after_step"], {"key": key, "step": excess})[0][0]
        return self._tables.remove_messages(db, key, before=first_kept)

    async def replace(
        self, scope: Scope, session_id: str, message: MessageDraft, *, expected: str
    ) -> MessageRecord | None:
        replaced = await self._client.write(partial(self._replace, scope, session_id, message, expected))
        if replaced is not None:
            await self._client.checkpoint()  # the write-ahead log still holds the redacted text
        return replaced

    def _replace(
        self, scope: Scope, session_id: str, message: MessageDraft, expected: str, db: Connection
    ) -> MessageRecord | None:
        session = self._tables.load(db, scope, session_id)
        rows = db.all(self._sql["stored_messages"], {"key": session.key, "ids": json.dumps([message.id])})
        if not rows:
            raise MessageNotFound(session_id, message.id)
        stored = StoredMessages(session_id, rows)
        if stored.content_keys[message.id] != expected:
            return None
        values = {
            "key": session.key,
            "id": message.id,
            "role": message.role,
            "payload": message.payload,
            "content_key": message.content_key,
            "search_text": message.search_text,
        }
        self._search.replace(db, values)
        log = LogChange(0, 0, self._tables.newest_time(db, session.key))
        self._tables.update_log(db, session, log)
        before = stored.records[message.id]
        return MessageRecord(
            id=before.id,
            seq=before.seq,
            role=message.role,
            payload=message.payload,
            created_at=before.created_at,
        )

    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> list[MessageRecord]:
        is_short = window.limit <= MAX_SHORT
        return await self._client.read(partial(self._list, scope, session_id, window), is_short=is_short)

    def _list(self, scope: Scope, session_id: str, window: MessageRange, db: Connection) -> list[MessageRecord]:
        values = lookup_values(scope, session_id, db)
        values["after"] = window.after
        values["before"] = MAX_INTEGER if window.before is None else window.before
        values["limit"] = window.limit
        rows = db.all(self._sql["list_backward" if window.newest_first else "list_forward"], values)
        if not rows:
            raise self._tables.not_found(db, scope, session_id)
        return [] if rows[0][0] is None else message_records(session_id, rows)

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        return await self._client.read(partial(self._get, scope, session_id, message_id), is_short=True)

    def _get(self, scope: Scope, session_id: str, message_id: str, db: Connection) -> MessageRecord:
        values = lookup_values(scope, session_id, db) | {"message_id": message_id}
        row = db.one(self._sql["get_message"], values)
        if row is None:
            raise self._tables.not_found(db, scope, session_id)
        if row[0] is None:
            raise MessageNotFound(session_id, message_id)
        return message_record(session_id, row)

    async def get_many(self, scope: Scope, session_id: str, message_ids: Sequence[str]) -> list[MessageRecord]:
        is_short = len(message_ids) <= MAX_SHORT
        return await self._client.read(partial(self._get_many, scope, session_id, message_ids), is_short=is_short)

    def _get_many(
        self, scope: Scope, session_id: str, message_ids: Sequence[str], db: Connection
    ) -> list[MessageRecord]:
        values = lookup_values(scope, session_id, db) | {"ids": json.dumps(message_ids)}
        rows = db.all(self._sql["get_messages"], values)
        if not rows:
            self._tables.load(db, scope, session_id)
        return message_records(session_id, [row for row in rows if row[0] is not None])

    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        work = partial(self._truncate, scope, session_id, after_seq)
        return await self._client.write(work, changes=(scope.tenant, session_id))

    def _truncate(self, scope: Scope, session_id: str, after_seq: int, db: Connection) -> int:
        session = self._tables.load(db, scope, session_id)
        removed = self._tables.remove_messages(db, session.key, after=after_seq)
        self._after_removal(db, session, removed)
        return removed

    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        work = partial(self._trim, scope, session_id, keep_last)
        return await self._client.write(work, changes=(scope.tenant, session_id))

    def _trim(self, scope: Scope, session_id: str, keep_last: int, db: Connection) -> int:
        session = self._tables.load(db, scope, session_id)
        removed = self._remove_oldest(db, session.key, session.message_count - keep_last, session.message_count)
        self._after_removal(db, session, removed)
        return removed

    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        return await self._client.write(partial(self._pop, scope, session_id), changes=(scope.tenant, session_id))

    def _pop(self, scope: Scope, session_id: str, db: Connection) -> MessageRecord | None:
        session = self._tables.load(db, scope, session_id)
        row = db.one(self._sql["newest"], {"key": session.key})
        popped = None if row is None else message_record(session_id, row)
        removed = 0 if popped is None else self._tables.remove_messages(db, session.key, after=popped.seq - 1)
        self._after_removal(db, session, removed)
        return popped

    def _after_removal(self, db: Connection, session: StoredSession, removed: int) -> None:
        self._tables.update_log(db, session, LogChange(0, removed, self._tables.newest_time(db, session.key)))

    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        return await self._search.find(scope, query)

    def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        return watch(self._client, self._tables, scope, session_id, after_seq)


def _repeated(stored: StoredMessages, append: Append) -> AppendedRecord:
    messages = [stored.records[draft.id] for draft in append.messages]
    newest = max(messages, key=lambda message: message.seq)
    return AppendedRecord(messages, stored.versions[newest.id], newest.seq, 0)
