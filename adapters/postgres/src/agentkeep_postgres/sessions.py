"""The sessions of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

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
)
from agentkeep.spi.resend import Effect

from agentkeep_postgres.client import Client
from agentkeep_postgres.listing import Listing
from agentkeep_postgres.rows import (
    changes_json,
    escaped,
    record_json,
    search_text,
    session_record,
    stored_labels,
    to_micros,
)
from agentkeep_postgres.statements import Statements


class PostgresSessions:
    def __init__(self, client: Client, statements: Statements) -> None:
        self._client = client
        self._sql = statements
        self._listing = Listing(statements)

    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        values = {
            "tenant": scope.tenant,
            "id": draft.id,
            "user_id": draft.user_id,
            "agent_name": draft.agent_name,
            "title": escaped(draft.title),
            "state": draft.state,
            "metadata": draft.metadata,
            "labels": stored_labels(scope, draft.labels),
            "parent_id": draft.parent_id,
            "schema_version": draft.schema_version,
            "ttl": to_micros(draft.ttl),
        }
        # get_or_create has the same result once or twice
        rows = await self._client.write(
            self._sql["create"], values, effect=Effect.REPEATABLE if or_get else Effect.ONCE
        )
        outcome, *columns = rows[0]
        if outcome == "created":
            return session_record(columns)
        if not or_get:
            raise AlreadyExists(draft.id)
        record = session_record(columns)
        if scope.user_id not in (None, record.user_id):
            raise SessionNotFound(draft.id)
        return record

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        rows = await self._client.read(self._sql["get"], _at(scope, session_id))
        if not rows:
            raise SessionNotFound(session_id)
        return session_record(rows[0])

    async def update(
        self, scope: Scope, session_id: str, changes: SessionChanges, *, expected_version: int | None
    ) -> SessionRecord:
        values = _at(scope, session_id)
        values |= {"expected_version": expected_version, "changes": changes_json(scope, changes)}
        outcome, actual, *columns = (await self._client.write(self._sql["update"], values))[0]
        if outcome == "absent":
            raise SessionNotFound(session_id)
        if outcome == "version":
            raise Conflict("the session's version", expected=expected_version, actual=actual)
        return session_record(columns)

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:
        statement, values = self._listing.page(scope, query, order, limit=limit, after=after)
        return [session_record(row) for row in await self._client.read(statement, values)]

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        rows = await self._client.read(*self._listing.count(scope, query))
        return rows[0][0]

    async def touch(
        self, scope: Scope, session_id: str, *, ttl: timedelta | None, idle_ttl: timedelta | None
    ) -> SessionRecord:
        values = _at(scope, session_id) | {"ttl": to_micros(ttl), "idle_ttl": to_micros(idle_ttl)}
        rows = await self._client.write(self._sql["touch"], values, effect=Effect.REPEATABLE)
        if not rows:
            raise SessionNotFound(session_id)
        return session_record(rows[0])

    async def fork(
        self, scope: Scope, session_id: str, *, at_seq: int, new_id: str, ttl: timedelta | None
    ) -> SessionRecord:
        values = _at(scope, session_id) | {"at_seq": at_seq, "new_id": new_id, "ttl": to_micros(ttl)}
        outcome, *columns = (await self._client.write(self._sql["fork"], values))[0]
        if outcome == "absent":
            raise SessionNotFound(session_id)
        if outcome == "exists":
            raise AlreadyExists(new_id)
        return session_record(columns)

    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[MessageRecord]
    ) -> None:
        values = {
            "record": record_json(scope, record, labels),
            "ids": [message.id for message in messages],
            "seqs": [str(message.seq) for message in messages],
            "roles": [message.role for message in messages],
            "times": [message.created_at.isoformat() for message in messages],
            "payloads": [message.payload for message in messages],
            "searches": [search_text(message.payload) for message in messages],
        }
        rows = await self._client.write(self._sql["restore"], values)
        if rows[0][0] == "exists":
            raise AlreadyExists(record.id)

    async def delete(self, scope: Scope, session_id: str) -> bool:
        rows = await self._client.write(*self._listing.remove_one(scope, session_id))
        return rows[0][0] > 0

    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        rows = await self._client.write(*self._listing.remove(scope, query, limit=limit))
        return rows[0][0]


def _at(scope: Scope, session_id: str) -> dict[str, object]:
    return {"tenant": scope.tenant, "scope_user": scope.user_id, "id": session_id}
