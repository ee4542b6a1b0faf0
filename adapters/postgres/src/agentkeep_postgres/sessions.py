"""The sessions of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

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
)
from agentkeep.spi.outcomes import check_owner, never_given, version_conflict
from agentkeep.spi.resend import Effect

from agentkeep_postgres.client import Client
from agentkeep_postgres.errors import check_counters, found_expired
from agentkeep_postgres.listing import Listing
from agentkeep_postgres.rows import (
    add_json,
    changes_json,
    draft_json,
    message_records,
    record_json,
    session_record,
    to_micros,
)
from agentkeep_postgres.settled import SettledReads
from agentkeep_postgres.statements import Statements
from agentkeep_postgres.sweep import Sweep

_LOG_COLUMNS = 5
"""How many arrays `resume` returns after the session."""


class PostgresSessions:
    def __init__(self, client: Client, statements: Statements, sweep: Sweep) -> None:
        self._client = client
        self._reads = SettledReads(client, statements)
        self._sql = statements
        self._listing = Listing(statements)
        self._sweep = sweep

    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        values = {"tenant": scope.tenant, "draft": draft_json(draft)}
        effect = Effect.REPEATABLE if or_get else Effect.ONCE
        outcome, *columns = (await self._client.write(self._sql["create"], values, effect=effect))[0]
        if outcome == "exists" and not or_get:
            raise AlreadyExists(draft.id)
        record = session_record(columns)
        if outcome == "exists":
            check_owner(scope, draft, record.user_id)
        return record

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        return session_record((await self._reads.session("get", scope, session_id, _at(scope, session_id)))[0])

    async def get_many(self, scope: Scope, session_ids: Sequence[str]) -> list[SessionRecord]:
        values = {"tenant": scope.tenant, "scope_user": scope.user_id, "ids": list(session_ids)}
        rows = await self._reads.sessions("get_many", scope, values)
        return [session_record(row) for row in rows]

    async def resume(self, scope: Scope, session_id: str, *, tail: int) -> ResumedRecord:
        rows = await self._reads.session("resume", scope, session_id, _at(scope, session_id) | {"tail": tail})
        session, log = rows[0][:-_LOG_COLUMNS], rows[0][-_LOG_COLUMNS:]
        return ResumedRecord(session_record(session), message_records(log))

    async def update(
        self,
        scope: Scope,
        session_id: str,
        changes: SessionChanges,
        *,
        add: dict[str, int] | None = None,
        expected_version: int | None = None,
    ) -> SessionRecord:
        values = _at(scope, session_id) | {
            "expected_version": expected_version,
            "changes": changes_json(changes),
            "add": add_json(add),
        }
        with found_expired(session_id):
            rows = await self._client.write(self._sql["update"], values)
        outcome, actual, counter, *columns = rows[0]
        if outcome == "absent":
            raise SessionNotFound(session_id)
        if outcome == "version":
            raise version_conflict(expected_version or 0, actual)
        check_counters(outcome, counter, actual)
        return session_record(columns)

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:
        statement, values = self._listing.page(scope, query, order, limit=limit, after=after)
        return [session_record(row) for row in await self._reads.many((statement, values))]

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        return (await self._reads.many(self._listing.count(scope, query)))[0][0]

    async def touch(self, scope: Scope, session_id: str, *, ttl: timedelta | None) -> SessionRecord:
        values = _at(scope, session_id) | {"ttl": to_micros(ttl)}
        with found_expired(session_id):
            rows = await self._client.write(self._sql["touch"], values, effect=Effect.REPEATABLE)
        if not rows:
            raise SessionNotFound(session_id)
        return session_record(rows[0])

    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        values = _at(scope, fork.session_id) | {
            "at_seq": fork.at_seq,
            "new_id": fork.new_id,
            "version": fork.version,
            "changes": changes_json(fork.changes),
        }
        outcome, actual, *columns = (await self._client.write(self._sql["fork"], values))[0]
        if outcome == "absent":
            raise SessionNotFound(fork.session_id)
        if outcome == "exists":
            raise AlreadyExists(fork.new_id)
        if outcome == "seq":
            raise never_given(fork, actual)
        return session_record(columns)

    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[RestoredMessage]
    ) -> None:
        values = {
            "record": record_json(scope, record, labels),
            "ids": [message.id for message in messages],
            "seqs": [str(message.seq) for message in messages],
            "roles": [message.role for message in messages],
            "times": [message.created_at and message.created_at.isoformat() for message in messages],
            "payloads": [message.payload for message in messages],
            "keys": [message.content_key for message in messages],
            "searches": [message.search_text for message in messages],
        }
        rows = await self._client.write(self._sql["restore"], values)
        if rows[0][0] == "exists":
            raise AlreadyExists(record.id)

    async def delete(self, scope: Scope, session_id: str, *, expected_version: int | None = None) -> bool:
        values = _at(scope, session_id) | {"expected_version": expected_version}
        outcome, actual = (await self._client.write(self._sql["delete"], values))[0]
        if outcome == "version":
            raise version_conflict(expected_version or 0, actual)
        return outcome == "deleted"

    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        return await self._sweep.matching(scope, query, limit=limit)


def _at(scope: Scope, session_id: str) -> dict[str, object]:
    return {"tenant": scope.tenant, "scope_user": scope.user_id, "id": session_id}
