"""The sessions. `agentkeep.protocol.SessionRepository` says what each verb promises; agentkeep_memory shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from agentkeep.errors import SessionNotFound
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
from agentkeep.spi.clock import Clock
from agentkeep.spi.decode import decode, session_name
from agentkeep.spi.resend import Effect

from agentkeep_NAME.client import Client
from agentkeep_NAME.rows import session_record


class CLASSSessions:
    """One named statement for each verb. Every key begins with the tenant and the session's id (ISO-1)."""

    def __init__(self, client: Client, sql: Mapping[str, str], clock: Clock) -> None:
        self._client = client
        self._sql = sql
        self._clock = clock

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        values = {"tenant": scope.tenant, "scope_user": scope.user_id, "id": session_id, "now": self._clock()}
        rows = await self._client.run(self._sql["get_session"], values, Effect.READ)
        if not rows:
            raise SessionNotFound(session_id)
        return decode(rows[0], session_record, lambda _: session_name(session_id))

    async def get_many(self, scope: Scope, session_ids: Sequence[str]) -> Sequence[SessionRecord]:
        raise NotImplementedError

    async def resume(self, scope: Scope, session_id: str, *, tail: int) -> ResumedRecord:
        raise NotImplementedError

    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        """`agentkeep.records.new_session` makes the record; with `or_get` a second run returns the same session, so
        its effect is `REPEATABLE`."""
        raise NotImplementedError

    async def update(
        self,
        scope: Scope,
        session_id: str,
        changes: SessionChanges,
        *,
        add: dict[str, int] | None = None,
        expected_version: int | None = None,
    ) -> SessionRecord:
        raise NotImplementedError

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> Sequence[SessionRecord]:
        raise NotImplementedError

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        raise NotImplementedError

    async def touch(self, scope: Scope, session_id: str, *, ttl: timedelta | None) -> SessionRecord:
        raise NotImplementedError

    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        raise NotImplementedError

    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[RestoredMessage]
    ) -> None:
        raise NotImplementedError

    async def delete(self, scope: Scope, session_id: str, *, expected_version: int | None = None) -> bool:
        raise NotImplementedError

    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        raise NotImplementedError
