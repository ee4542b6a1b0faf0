"""The messages of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import repeat

from agentkeep.errors import AlreadyExists, LimitExceeded, MessageNotFound, Refused, SessionNotFound
from agentkeep.records import (
    MAX_SEQ,
    Append,
    AppendedRecord,
    HitRecord,
    MessageDraft,
    MessageRange,
    MessageRecord,
    Scope,
    SearchQuery,
)
from agentkeep.spi.outcomes import batch_conflict, last_seq_conflict, message_id_conflict, version_conflict
from agentkeep.spi.resend import Effect

from agentkeep_postgres.client import Client
from agentkeep_postgres.drivers import Row
from agentkeep_postgres.errors import check_counters, found_expired, is_duplicate
from agentkeep_postgres.rows import add_json, changes_json, draft_json, from_micros, message_record
from agentkeep_postgres.search import Search
from agentkeep_postgres.settled import SettledReads
from agentkeep_postgres.statements import Statements
from agentkeep_postgres.watch import Watch

MAX_APPEND_BYTES = 1_000 * 1024 * 1024
"""Of one append's texts. PostgreSQL 15 refuses a protocol message of 1 GiB or more: "invalid message length"."""
_MAX_CHARACTER_BYTES = 4
"""In UTF-8."""


class PostgresMessages:
    def __init__(self, client: Client, statements: Statements, search: Search, watch: Watch) -> None:
        self._client = client
        self._reads = SettledReads(client, statements)
        self._sql = statements
        self._search = search
        self._watch = watch

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        values = _append_values(scope, append)
        effect = Effect.REPEATABLE if append.is_repeatable else Effect.ONCE
        again = {"may_be_stored": True}
        with found_expired(append.session_id):
            try:
                rows = await self._client.write(self._sql["append"], values, effect=effect, resent=again)
            except Refused as error:
                # An id that should be new is stored: the record was sent before (IDEM-2).
                if append.may_be_stored or not is_duplicate(error):
                    raise
                rows = await self._client.write(self._sql["append"], {**values, **again}, effect=effect)
        return _appended(append, rows[0])

    async def replace(
        self, scope: Scope, session_id: str, message: MessageDraft, *, expected: str
    ) -> MessageRecord | None:
        values = _at(scope, session_id) | {
            "message_id": message.id,
            "expected": expected,
            "role": message.role,
            "payload": message.payload,
            "key": message.content_key,
            "search": message.search_text,
        }
        outcome, *columns = (await self._client.write(self._sql["replace"], values))[0]
        if outcome == "absent":
            raise SessionNotFound(session_id)
        if outcome == "missing":
            raise MessageNotFound(session_id, message.id)
        return message_record(columns) if outcome == "replaced" else None

    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> list[MessageRecord]:
        values = _at(scope, session_id) | {
            "after": window.after,
            "before": MAX_SEQ + 1 if window.before is None else window.before,
            "limit": window.limit,
        }
        name = "list_backward" if window.newest_first else "list_forward"
        rows = await self._reads.session(name, scope, session_id, values)
        return [message_record(row) for row in rows if row[1] is not None]

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        found = await self.get_many(scope, session_id, [message_id])
        if not found:
            raise MessageNotFound(session_id, message_id)
        return found[0]

    async def get_many(self, scope: Scope, session_id: str, message_ids: Sequence[str]) -> list[MessageRecord]:
        values = _at(scope, session_id) | {"ids": list(message_ids)}
        rows = await self._reads.session("get_messages", scope, session_id, values)
        return [message_record(row) for row in rows if row[1] is not None]

    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        return await self._cut(scope, session_id, after_seq=after_seq, keep_last=None)

    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        return await self._cut(scope, session_id, after_seq=None, keep_last=keep_last)

    async def _cut(self, scope: Scope, session_id: str, *, after_seq: int | None, keep_last: int | None) -> int:
        values = _at(scope, session_id) | {"after_seq": after_seq, "keep_last": keep_last}
        removed = (await self._client.write(self._sql["cut"], values))[0][0]
        if removed is None:
            raise SessionNotFound(session_id)
        return removed

    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        outcome, *columns = (await self._client.write(self._sql["pop"], _at(scope, session_id)))[0]
        if outcome == "absent":
            raise SessionNotFound(session_id)
        return message_record(columns) if outcome == "popped" else None

    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        return await self._search.find(scope, query)

    def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        return self._watch.messages(scope, session_id, after_seq=after_seq)


def _at(scope: Scope, session_id: str) -> dict[str, object]:
    return {"tenant": scope.tenant, "scope_user": scope.user_id, "session_id": session_id}


def _append_values(scope: Scope, append: Append) -> dict[str, object]:
    """Raises `LimitExceeded`."""
    drafts = append.messages
    payloads = [draft.payload for draft in drafts]
    searches = [draft.search_text for draft in drafts]
    times = [draft.created_at and draft.created_at.isoformat() for draft in drafts]
    _check_size([*payloads, *searches])
    return _at(scope, append.session_id) | {
        "ids": [draft.id for draft in drafts],
        "roles": [draft.role for draft in drafts],
        "payloads": payloads,
        "keys": [draft.content_key for draft in drafts],
        "searches": searches,
        "times": times if any(times) else None,
        "may_be_stored": append.may_be_stored or _has_condition(append),
        "skip": append.stored == "skip",
        "create": draft_json(append.create),
        "expected_version": append.expected_version,
        "expected_last_seq": append.expected_last_seq,
        "truncate_after": append.truncate_after,
        "keep_last": append.keep_last,
        "changes": changes_json(append.changes),
        "add": add_json(append.add),
    }


def _has_condition(append: Append) -> bool:
    """Whether a record that is sent again may fail or cut the log before the unique index meets its ids (IDEM-2).

    Without such an option the search for the ids is left out: a duplicate key says that the record was sent before.
    """
    return (append.expected_version, append.expected_last_seq, append.truncate_after) != (None, None, None)


def _check_size(texts: Sequence[str]) -> None:
    """Raises `LimitExceeded` (FID-4)."""
    if sum(map(len, texts)) * _MAX_CHARACTER_BYTES <= MAX_APPEND_BYTES:
        return
    size = sum(len(text.encode()) for text in texts)
    if size > MAX_APPEND_BYTES:
        raise LimitExceeded("bytes of one append, the copies for search included", limit=MAX_APPEND_BYTES, actual=size)


def _appended(append: Append, row: Row) -> AppendedRecord:
    outcome, actual, counter, version, last_seq, moment, *stored = row
    _check(append, outcome, actual)
    check_counters(outcome, counter, actual)
    known = zip(*stored, strict=True) if stored[0] is not None else repeat(None)
    messages: list[MessageRecord] = []
    new = 0
    for draft, columns in zip(append.messages, known, strict=False):
        if columns is not None and columns[0] is not None:
            messages.append(_stored(draft.id, *columns))
            continue
        new += 1
        messages.append(
            MessageRecord(
                id=draft.id,
                seq=actual + new,
                role=draft.role,
                payload=draft.payload,
                created_at=draft.created_at or moment,
            )
        )
    return AppendedRecord(messages, version, last_seq, new)


def _stored(id: str, seq: str, role: str, payload: str, time: str) -> MessageRecord:
    return MessageRecord(id=id, seq=int(seq), role=role, payload=payload, created_at=from_micros(time))


def _check(append: Append, outcome: str, actual: int) -> None:
    """Raises the error that an outcome means."""
    if outcome == "absent":
        raise SessionNotFound(append.session_id)
    if outcome == "foreign":
        raise AlreadyExists(append.session_id)
    if outcome == "version":
        raise version_conflict(append.expected_version or 0, actual)
    if outcome == "last_seq":
        raise last_seq_conflict(append.expected_last_seq or 0, actual)
    if outcome == "batch":
        raise batch_conflict(actual, len(append.messages))
    if outcome == "message_id":
        raise message_id_conflict(append.messages[actual - 1].id)
