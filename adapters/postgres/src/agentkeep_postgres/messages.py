"""The messages of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from agentkeep.errors import MessageNotFound, SessionNotFound
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

from agentkeep_postgres.appends import Appends
from agentkeep_postgres.client import Client
from agentkeep_postgres.rows import message_record
from agentkeep_postgres.search import Search
from agentkeep_postgres.settled import SettledReads
from agentkeep_postgres.statements import Statements
from agentkeep_postgres.watch import Watch


class PostgresMessages:
    def __init__(self, client: Client, statements: Statements, search: Search, watch: Watch) -> None:
        self._client = client
        self._reads = SettledReads(client, statements)
        self._sql = statements
        self._appends = Appends(client, statements)
        self._search = search
        self._watch = watch

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        return await self._appends.append(scope, append)

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
