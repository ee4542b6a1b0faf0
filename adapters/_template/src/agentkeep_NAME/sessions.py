"""The sessions. `agentkeep.protocol.SessionRepository` says what each verb promises; agentkeep_memory shows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

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


class CLASSSessions:
    """One named statement of the database a verb; every key begins with the tenant and the session's id (ISO-1)."""

    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        raise NotImplementedError

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        raise NotImplementedError

    async def update(
        self, scope: Scope, session_id: str, changes: SessionChanges, *, expected_version: int | None
    ) -> SessionRecord:
        raise NotImplementedError

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:
        raise NotImplementedError

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        raise NotImplementedError

    async def touch(
        self, scope: Scope, session_id: str, *, ttl: timedelta | None, idle_ttl: timedelta | None
    ) -> SessionRecord:
        raise NotImplementedError

    async def fork(
        self, scope: Scope, session_id: str, *, at_seq: int, new_id: str, ttl: timedelta | None
    ) -> SessionRecord:
        raise NotImplementedError

    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[MessageRecord]
    ) -> None:
        raise NotImplementedError

    async def delete(self, scope: Scope, session_id: str) -> bool:
        raise NotImplementedError

    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        raise NotImplementedError
