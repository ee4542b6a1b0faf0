"""The sessions of a Redis server or cluster."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
from agentkeep.errors import AlreadyExists
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

from agentkeep_redis.fields import (
    YEAR_ONE,
    change_fields,
    facets_row,
    label_facets,
    message_record,
    message_text,
    session_fields,
    span,
    stored_session,
    time_text,
)
from agentkeep_redis.messages import raise_for
from agentkeep_redis.parts import Parts

_pack = msgspec.msgpack.Encoder().encode


class RedisSessions:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        record = SessionRecord(
            id=draft.id,
            user_id=draft.user_id,
            agent_name=draft.agent_name,
            title=draft.title,
            status="active",
            current_route=None,
            current_step=None,
            state=draft.state,
            metadata=draft.metadata,
            parent_id=draft.parent_id,
            forked_at_seq=None,
            version=1,
            schema_version=draft.schema_version,
            message_count=0,
            last_seq=0,
            created_at=YEAR_ONE,
            updated_at=YEAR_ONE,
            last_message_at=None,
            completed_at=None,
            expires_at=None,
        )
        options = {"or_get": or_get, "user": scope.user_id, "ttl": span(draft.ttl)}
        return await self._create(scope, record, label_facets(draft.labels), (), options)

    async def _create(
        self,
        scope: Scope,
        record: SessionRecord,
        labels: str,
        messages: Sequence[MessageRecord],
        options: dict[str, Any],
    ) -> SessionRecord:
        parts = self._parts
        options |= {
            "fields": session_fields(record, labels),
            "facets": facets_row(record, labels),
            "tenant": scope.tenant,
        }
        args: list[bytes | str] = []
        for message in messages:
            args += (str(message.seq), message.id, message_text(message, parts.compression))
        write = partial(self._parts.write, "create", scope, record.id, options, args)
        reply = await parts.index.written(scope.tenant, record.id, "c", write)
        if reply[0] == b"exists":
            raise AlreadyExists(record.id)
        raise_for(reply, record.id)
        return stored_session(record.id, reply[2]).record

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        options = {"user": scope.user_id}
        reply = await self._parts.read("session", scope, session_id, options)
        raise_for(reply, session_id)
        return stored_session(session_id, reply[1]).record

    async def update(
        self, scope: Scope, session_id: str, changes: SessionChanges, *, expected_version: int | None
    ) -> SessionRecord:
        fields, unset = change_fields(changes)
        options = {"version": expected_version, "set": fields, "unset": unset, "changed": True}
        return await self._write(scope, session_id, options | {"status": changes.get("status")})

    async def touch(
        self, scope: Scope, session_id: str, *, ttl: timedelta | None, idle_ttl: timedelta | None
    ) -> SessionRecord:
        return await self._write(scope, session_id, {"ttl": span(ttl), "idle_ttl": span(idle_ttl)})

    async def _write(self, scope: Scope, session_id: str, options: dict[str, Any]) -> SessionRecord:
        write = partial(self._parts.write, "write", scope, session_id, options | {"user": scope.user_id, "whole": True})
        reply = await self._parts.index.written(scope.tenant, session_id, "w", write)
        raise_for(reply, session_id, expected=options.get("version"))
        return stored_session(session_id, reply[5]).record

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:
        return [stored.record for stored in await self._parts.listing.page(scope, query, order, limit, after)]

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        return await self._parts.listing.count(scope, query)

    async def fork(
        self, scope: Scope, session_id: str, *, at_seq: int, new_id: str, ttl: timedelta | None
    ) -> SessionRecord:
        reply = await self._parts.read("snapshot", scope, session_id, {"user": scope.user_id, "last": at_seq})
        raise_for(reply, session_id)
        parent = stored_session(session_id, reply[1])
        pairs = zip(reply[2][::2], reply[2][1::2], strict=True)
        log = [message_record(session_id, id, text, self._parts.compression) for id, text in pairs]
        record = msgspec.structs.replace(
            parent.record,
            id=new_id,
            title=None,
            status="active",
            current_route=None,
            current_step=None,
            parent_id=session_id,
            forked_at_seq=at_seq,
            version=1,
            message_count=len(log),
            last_seq=at_seq,
            last_message_at=log[-1].created_at if log else None,
            completed_at=None,
        )
        expires_at = parent.record.expires_at
        inherited = None if ttl is not None or expires_at is None else time_text(expires_at)
        return await self._create(scope, record, parent.label_facets, log, {"ttl": span(ttl), "expires_at": inherited})

    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[MessageRecord]
    ) -> None:
        times = {
            "created_at": time_text(record.created_at),
            "updated_at": time_text(record.updated_at),
            "expires_at": None if record.expires_at is None else time_text(record.expires_at),
        }
        await self._create(scope, record, label_facets(labels), messages, times)

    async def delete(self, scope: Scope, session_id: str) -> bool:
        return await self._delete(scope, session_id, None) == b"deleted"

    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        """Each only if it is still as it was when it was found to match; what changed meanwhile is looked at anew."""
        order = SessionOrder("created_at", descending=False)
        while found := await self._parts.listing.page(scope, query, order, limit, None):
            done = [await self._delete(scope, stored.record.id, stored.revision) for stored in found]
            if deleted := done.count(b"deleted"):
                return deleted
        return 0

    async def _delete(self, scope: Scope, session_id: str, revision: int | None) -> bytes:
        options = {"user": scope.user_id, "revision": revision, "tenant": scope.tenant}
        write = partial(self._parts.write, "delete", scope, session_id, options)
        return (await self._parts.index.written(scope.tenant, session_id, "w", write))[0]
