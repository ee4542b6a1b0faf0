"""The sessions of a Redis server or cluster."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from agentkeep.errors import PersistenceError
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
from agentkeep.spi.decode import decode, session_name
from agentkeep.spi.one_call import one_call
from agentkeep.spi.outcomes import forked_at, forked_session
from agentkeep.spi.resend import Effect

from agentkeep_redis.client import RedisClient
from agentkeep_redis.driver import Reply
from agentkeep_redis.facets import label_facets
from agentkeep_redis.keys import Keys
from agentkeep_redis.listing import SessionListing
from agentkeep_redis.outcomes import partly, raise_for
from agentkeep_redis.rows import (
    MessageRows,
    change_options,
    draft_options,
    record_options,
    span_text,
    stored_session,
    text_time,
)
from agentkeep_redis.session_index import SessionIndex, Write, session_call

_ALL = 2**53 - 1


class RedisSessions:
    def __init__(
        self, client: RedisClient, keys: Keys, index: SessionIndex, listing: SessionListing, rows: MessageRows
    ) -> None:
        self._client = client
        self._keys = keys
        self._index = index
        self._listing = listing
        self._rows = rows

    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        options = draft_options(draft) | {"or_get": or_get or None}
        return await self._create(scope, draft.id, options)

    async def _create(
        self, scope: Scope, session_id: str, options: dict[str, Any], messages: Sequence[bytes | str] = ()
    ) -> SessionRecord:
        write = Write("create", scope, session_id, options | {"tenant": scope.tenant}, messages)
        reply = await self._index.write(write, kind="c")
        raise_for(reply, session_id)
        return stored_session(session_id, reply[2]).record

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        return stored_session(session_id, (await self._read(scope, session_id, {}))[1]).record

    async def get_many(self, scope: Scope, session_ids: Sequence[str]) -> list[SessionRecord]:
        stored = (await self._listing.sessions(scope, session_ids)).values()
        records = [one.record for one in stored if one is not None]
        return [record for record in records if scope.user_id in (None, record.user_id)]

    async def resume(self, scope: Scope, session_id: str, *, tail: int) -> ResumedRecord:
        reply = await self._read(scope, session_id, {"tail": tail})
        messages = self._rows.records(session_id, reply[3])
        return ResumedRecord(stored_session(session_id, reply[1]).record, messages[::-1])

    async def update(
        self,
        scope: Scope,
        session_id: str,
        changes: SessionChanges,
        *,
        add: dict[str, int] | None = None,
        expected_version: int | None = None,
    ) -> SessionRecord:
        options = change_options(changes) | {"version": expected_version, "add": add}
        return await self._write(scope, session_id, options)

    async def touch(self, scope: Scope, session_id: str, *, ttl: timedelta | None) -> SessionRecord:
        return await self._write(scope, session_id, {"slide": True, "ttl": None if ttl is None else span_text(ttl)})

    async def _write(self, scope: Scope, session_id: str, options: dict[str, Any]) -> SessionRecord:
        reply = await self._index.write(Write("write", scope, session_id, options | {"whole": True}))
        raise_for(reply, session_id, options)
        return stored_session(session_id, reply[7]).record

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:
        with one_call():
            return [stored.record for stored in await self._listing.page(scope, query, order, limit, after)]

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        with one_call():
            return await self._listing.count(scope, query)

    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        with one_call():
            return await self._fork(scope, fork)

    async def _fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        """The parent is read with its log at one instant, and the copy is stored at another: on a cluster they are on
        different servers."""
        last = _ALL if fork.at_seq is None else fork.at_seq
        reply = await self._read(scope, fork.session_id, {"last": last})
        parent = stored_session(fork.session_id, reply[1])
        forked_at(fork, parent.record.last_seq)
        log = dict(zip(*reply[3], strict=True))
        records = self._rows.records(fork.session_id, reply[3])
        record = forked_session(
            parent.record,
            fork,
            text_time(reply[2]),
            count=len(log),
            last_message_at=records[-1].created_at if records else None,
        )
        labels = (fork.changes or {}).get("labels")
        options = record_options(record, parent.label_facets if labels is None else label_facets(labels))
        messages = decode(
            log, lambda log: self._rows.copied_args(log, fork.version), lambda _: session_name(fork.session_id)
        )
        return await self._create(scope, record.id, options, messages)

    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[RestoredMessage]
    ) -> None:
        options = record_options(record, label_facets(labels))
        await self._create(scope, record.id, options, self._rows.restored_args(messages, record.version))

    async def delete(self, scope: Scope, session_id: str, *, expected_version: int | None = None) -> bool:
        options = {"version": expected_version}
        reply = await self._delete(scope, session_id, options)
        if reply[0] == b"absent":
            return False
        raise_for(reply, session_id, options)
        return True

    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        with one_call():
            return await self._delete_many(scope, query, limit)

    async def _delete_many(self, scope: Scope, query: SessionQuery, limit: int) -> int:
        """Each only if it has not changed since it was found to match; what has changed is looked at again."""
        order = SessionOrder("created_at", descending=False)
        removed = 0
        while removed < limit:
            found = await self._listing.page(scope, query, order, limit - removed, None)
            if not found:
                break
            for stored in found:
                try:
                    reply = await self._delete(scope, stored.record.id, {"revision": stored.revision})
                except PersistenceError as error:
                    raise partly(error, removed) from error
                removed += reply[0] == b"deleted"
        return removed

    async def _delete(self, scope: Scope, session_id: str, options: dict[str, Any]) -> Reply:
        return await self._index.write(Write("delete", scope, session_id, options | {"tenant": scope.tenant}))

    async def _read(self, scope: Scope, session_id: str, options: dict[str, Any]) -> Reply:
        """The session's fields, the time, and the ids and records of what is wanted of its log."""
        call = session_call("session", self._keys, scope, session_id, options)
        reply = await self._client.run(call, Effect.READ)
        raise_for(reply, session_id)
        return reply
