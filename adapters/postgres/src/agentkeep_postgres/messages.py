"""The messages of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from agentkeep.errors import Conflict, LimitExceeded, MessageNotFound, SessionNotFound, Unavailable
from agentkeep.records import MAX_SEQ, Append, HitRecord, MessageDraft, MessageRange, MessageRecord, Scope, SearchQuery
from agentkeep.spi.resend import Effect

from agentkeep_postgres.client import Client
from agentkeep_postgres.drivers import Row
from agentkeep_postgres.errors import EXPIRED, sqlstate
from agentkeep_postgres.rows import changes_json, from_micros, message_record, search_text, to_micros
from agentkeep_postgres.search import Search
from agentkeep_postgres.statements import Statements
from agentkeep_postgres.watch import Watch

MAX_APPEND_BYTES = 1_000 * 1024 * 1024
"""Of one append's texts. PostgreSQL 15 refuses a protocol message of 1 GiB or more: "invalid message length"."""
_MAX_CHARACTER_BYTES = 4
"""In UTF-8."""


class PostgresMessages:
    def __init__(self, client: Client, statements: Statements, search: Search, watch: Watch) -> None:
        self._client = client
        self._sql = statements
        self._search = search
        self._watch = watch

    async def append(self, scope: Scope, append: Append) -> list[MessageRecord]:
        drafts = append.messages
        times = [draft.created_at and draft.created_at.isoformat() for draft in drafts]
        payloads = [draft.payload for draft in drafts]
        searches = [search_text(payload) for payload in payloads]
        _check_size([*payloads, *searches])
        values: dict[str, object] = {
            "tenant": scope.tenant,
            "scope_user": scope.user_id,
            "session_id": append.session_id,
            "ids": [draft.id for draft in drafts],
            "roles": [draft.role for draft in drafts],
            "payloads": payloads,
            "searches": searches,
            "times": times if any(times) else None,
            "may_be_stored": append.caller_ids,
            "expected_version": append.expected_version,
            "expected_last_seq": append.expected_last_seq,
            "truncate_after": append.truncate_after,
            "keep_last": append.keep_last,
            "idle_ttl": to_micros(append.idle_ttl),
            "changes": None if append.changes is None else changes_json(scope, append.changes),
        }
        effect = Effect.REPEATABLE if append.is_repeatable else Effect.ONCE
        try:
            sql = self._sql["append"]
            rows = await self._client.write(sql, values, effect=effect, resent={"may_be_stored": True})
        except Unavailable as error:
            if error.__cause__ is not None and sqlstate(error.__cause__) == EXPIRED:
                raise SessionNotFound(append.session_id) from error.__cause__
            raise
        return _appended(append, rows[0])

    async def replace(
        self, scope: Scope, session_id: str, message_id: str, *, role: str, payload: str, expected: MessageRecord
    ) -> MessageRecord | None:
        values = _at(scope, session_id) | {
            "message_id": message_id,
            "old_role": expected.role,
            "old_payload": expected.payload,
            "role": role,
            "payload": payload,
            "search": search_text(payload),
        }
        outcome, *columns = (await self._client.write(self._sql["replace"], values))[0]
        if outcome == "absent":
            raise SessionNotFound(session_id)
        if outcome == "missing":
            raise MessageNotFound(session_id, message_id)
        return message_record(columns) if outcome == "replaced" else None

    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> list[MessageRecord]:
        values = _at(scope, session_id) | {
            "after": window.after,
            "before": MAX_SEQ + 1 if window.before is None else window.before,
            "limit": window.limit,
        }
        name = "list_backward" if window.newest_first else "list_forward"
        rows = await self._client.read(self._sql[name], values)
        if not rows:
            raise SessionNotFound(session_id)
        return [message_record(row) for row in rows if row[1] is not None]

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        values = _at(scope, session_id) | {"message_id": message_id}
        rows = await self._client.read(self._sql["get_message"], values)
        if not rows:
            raise SessionNotFound(session_id)
        if rows[0][1] is None:
            raise MessageNotFound(session_id, message_id)
        return message_record(rows[0])

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


def _check_size(texts: Sequence[str | None]) -> None:
    """Raises `LimitExceeded` (FID-4)."""
    if sum(len(text) for text in texts if text) * _MAX_CHARACTER_BYTES <= MAX_APPEND_BYTES:
        return
    size = sum(len(text.encode()) for text in texts if text)
    if size > MAX_APPEND_BYTES:
        raise LimitExceeded("bytes of one append, the copies for search included", limit=MAX_APPEND_BYTES, actual=size)


def _appended(append: Append, row: Row) -> list[MessageRecord]:
    outcome, actual, moment, seqs, times = row
    if outcome == "appended":
        return [_record(draft, seq, draft.created_at or moment) for seq, draft in enumerate(append.messages, actual)]
    if outcome == "stored":
        stored = zip(append.messages, map(int, seqs), map(from_micros, times), strict=True)
        return [_record(*message) for message in stored]
    if outcome == "absent":
        raise SessionNotFound(append.session_id)
    if outcome == "version":
        raise Conflict("the session's version", expected=append.expected_version, actual=actual)
    if outcome == "last_seq":
        raise Conflict("the session's last seq", expected=append.expected_last_seq, actual=actual)
    raise _id_conflict(outcome, actual, append.messages)


def _id_conflict(outcome: str, actual: int, drafts: Sequence[MessageDraft]) -> Conflict:
    if outcome == "partial":
        return Conflict("a batch of which some ids are stored", expected="all or none", actual=f"{actual}")
    stored = f"message {drafts[actual - 1].id!r} is stored"
    return Conflict(stored, expected="the same content", actual="other content")


def _record(draft: MessageDraft, seq: int, created_at: datetime) -> MessageRecord:
    return MessageRecord(id=draft.id, seq=seq, role=draft.role, payload=draft.payload, created_at=created_at)
