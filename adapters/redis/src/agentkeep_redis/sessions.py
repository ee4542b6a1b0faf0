"""The sessions of a Redis server or cluster."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
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
    begun,
)
from agentkeep.spi.resend import Effect

from agentkeep_redis.client import RedisClient
from agentkeep_redis.keys import Keys
from agentkeep_redis.listing import SessionListing
from agentkeep_redis.messages import raise_for
from agentkeep_redis.rows import (
    YEAR_ONE,
    Compression,
    change_options,
    facets_of,
    label_facets,
    message_record,
    message_text,
    session_counts,
    session_fields,
    span,
    stored_session,
    time_text,
)
from agentkeep_redis.session_index import SessionIndex, Write, session_call


class RedisSessions:
    def __init__(
        self,
        client: RedisClient,
        keys: Keys,
        index: SessionIndex,
        listing: SessionListing,
        compression: Compression,
    ) -> None:
        self._client = client
        self._keys = keys
        self._index = index
        self._listing = listing
        self._compression = compression

    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        record = begun(draft, YEAR_ONE)  # the script knows the time
        options = {"or_get": or_get, "ttl": span(draft.ttl)}
        return await self._create(scope, record, label_facets(draft.labels), (), options)

    async def _create(
        self,
        scope: Scope,
        record: SessionRecord,
        labels: str,
        messages: Sequence[MessageRecord],
        options: dict[str, Any],
    ) -> SessionRecord:
        options |= {
            "fields": session_fields(record),
            "facets": facets_of(record, labels),
            "counts": session_counts(record),
            "tenant": scope.tenant,
        }
        args: list[bytes | str] = []
        for message in messages:
            args += (str(message.seq), message.id, message_text(message, self._compression))
        reply = await self._index.write(Write("create", scope, record.id, options, args), kind="c")
        if reply[0] == b"exists":
            raise AlreadyExists(record.id)
        raise_for(reply, record.id)
        return stored_session(record.id, reply[2]).record

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        reply = await self._read("session", scope, session_id, {})
        raise_for(reply, session_id)
        return stored_session(session_id, reply[1]).record

    async def update(
        self, scope: Scope, session_id: str, changes: SessionChanges, *, expected_version: int | None
    ) -> SessionRecord:
        return await self._write(scope, session_id, {"version": expected_version, **change_options(changes)})

    async def touch(
        self, scope: Scope, session_id: str, *, ttl: timedelta | None, idle_ttl: timedelta | None
    ) -> SessionRecord:
        return await self._write(scope, session_id, {"ttl": span(ttl), "idle_ttl": span(idle_ttl)})

    async def _write(self, scope: Scope, session_id: str, options: dict[str, Any]) -> SessionRecord:
        reply = await self._index.write(Write("write", scope, session_id, options | {"whole": True}))
        raise_for(reply, session_id, expected=options.get("version"))
        return stored_session(session_id, reply[5]).record

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:
        return [stored.record for stored in await self._listing.page(scope, query, order, limit, after)]

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        return await self._listing.count(scope, query)

    async def fork(
        self, scope: Scope, session_id: str, *, at_seq: int, new_id: str, ttl: timedelta | None
    ) -> SessionRecord:
        reply = await self._read("snapshot", scope, session_id, {"last": at_seq})
        raise_for(reply, session_id)
        parent = stored_session(session_id, reply[1])
        pairs = zip(reply[2][::2], reply[2][1::2], strict=True)
        log = [message_record(session_id, id, text, self._compression) for id, text in pairs]
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
        """Each only if it has not changed since it was found to match; what has changed is looked at again."""
        order = SessionOrder("created_at", descending=False)
        while found := await self._listing.page(scope, query, order, limit, None):
            done = [await self._delete(scope, stored.record.id, stored.revision) for stored in found]
            if deleted := done.count(b"deleted"):
                return deleted
        return 0

    async def _delete(self, scope: Scope, session_id: str, revision: int | None) -> bytes:
        options = {"revision": revision, "tenant": scope.tenant}
        return (await self._index.write(Write("delete", scope, session_id, options)))[0]

    async def _read(self, script: str, scope: Scope, session_id: str, options: dict[str, Any]) -> Any:
        return await self._client.run(session_call(script, self._keys, scope, session_id, options), Effect.READ)
