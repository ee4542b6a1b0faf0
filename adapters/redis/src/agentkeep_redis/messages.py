"""The messages of a Redis server or cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

from agentkeep.errors import Conflict, MessageNotFound, SessionNotFound
from agentkeep.records import Append, MessageDraft, MessageRange, MessageRecord, Scope
from agentkeep.spi.notify import Notifier
from agentkeep.spi.resend import Effect
from agentkeep.spi.watch import watch

from agentkeep_redis.client import RedisClient
from agentkeep_redis.driver import Reply
from agentkeep_redis.keys import Keys
from agentkeep_redis.rows import (
    Compression,
    change_options,
    message_body,
    message_record,
    message_text,
    span,
    text_time,
    time_text,
)
from agentkeep_redis.session_index import SessionIndex, Write, session_call


class RedisMessages:
    def __init__(
        self, client: RedisClient, keys: Keys, index: SessionIndex, notifier: Notifier, compression: Compression
    ) -> None:
        self._client = client
        self._keys = keys
        self._index = index
        self._notifier = notifier
        self._compression = compression

    async def append(self, scope: Scope, append: Append) -> list[MessageRecord]:
        options: dict[str, Any] = {
            "version": append.expected_version,
            "last_seq": append.expected_last_seq,
            "after": append.truncate_after,
            "keep": append.keep_last,
            "idle_ttl": span(append.idle_ttl),
        }
        if append.changes is not None:
            options |= change_options(append.changes)
        args: list[bytes | str] = []
        for draft in append.messages:
            created_at = "" if draft.created_at is None else time_text(draft.created_at)
            args += (draft.id, created_at, message_body(draft, self._compression))
        effect = Effect.REPEATABLE if append.is_repeatable else Effect.ONCE
        write = Write("write", scope, append.session_id, options, args, effect)
        reply = await self._index.write(write, defer=True)
        if reply[0] == b"stored":
            return self._stored(append, reply[1:])
        raise_for(reply, append.session_id, expected=append.expected_version, expected_seq=append.expected_last_seq)
        return _appended(append.messages, last_seq=reply[2], now=reply[3])

    def _stored(self, append: Append, texts: Sequence[bytes]) -> list[MessageRecord]:
        """What is stored already, if it has the same content. Raises `Conflict`."""
        records = [
            message_record(append.session_id, draft.id.encode(), text, self._compression)
            for draft, text in zip(append.messages, texts, strict=True)
        ]
        for record, draft in zip(records, append.messages, strict=True):
            if (record.role, record.payload) != (draft.role, draft.payload):
                raise Conflict(f"message {draft.id!r} is stored", expected="the same content", actual="other content")
        return records

    async def replace(
        self, scope: Scope, session_id: str, message_id: str, *, role: str, payload: str, expected: MessageRecord
    ) -> MessageRecord | None:
        compression = self._compression
        text = await self._text(scope, session_id, message_id)
        stored = message_record(session_id, message_id.encode(), text, compression)
        if (stored.role, stored.payload) != (expected.role, expected.payload):
            return None
        record = MessageRecord(id=stored.id, seq=stored.seq, role=role, payload=payload, created_at=stored.created_at)
        args = [message_text(record, compression), text]
        reply = await self._index.write(Write("replace", scope, session_id, {"message": message_id}, args))
        raise_for(reply, session_id)
        return None if reply[0] == b"changed" else record

    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> list[MessageRecord]:
        return (await self._range(scope, session_id, window))[1]

    async def _range(self, scope: Scope, session_id: str, window: MessageRange) -> tuple[bytes, list[MessageRecord]]:
        """When the session was created, and its messages of a range."""
        options = {
            "after": window.after,
            "before": window.before,
            "limit": window.limit,
            "newest_first": window.newest_first,
        }
        reply = await self._read("messages", scope, session_id, options)
        raise_for(reply, session_id)
        pairs = zip(reply[2::2], reply[3::2], strict=True)
        records = [message_record(session_id, id, text, self._compression) for id, text in pairs]
        return reply[1], records[::-1] if window.newest_first else records

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        text = await self._text(scope, session_id, message_id)
        return message_record(session_id, message_id.encode(), text, self._compression)

    async def _text(self, scope: Scope, session_id: str, message_id: str) -> bytes:
        reply = await self._read("message", scope, session_id, {"message": message_id})
        raise_for(reply, session_id)
        if reply[1] is None:
            raise MessageNotFound(session_id, message_id)
        return reply[1]

    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        return await self._remove(scope, session_id, {"after": after_seq})

    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        return await self._remove(scope, session_id, {"keep": keep_last})

    async def _remove(self, scope: Scope, session_id: str, options: dict[str, Any]) -> int:
        reply = await self._index.write(Write("write", scope, session_id, options))
        raise_for(reply, session_id)
        return reply[4]

    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        reply = await self._index.write(Write("write", scope, session_id, {"pop": True}))
        raise_for(reply, session_id)
        if not reply[5]:
            return None
        message_id, text = reply[5]
        return message_record(session_id, message_id, text, self._compression)

    async def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        read = partial(self._range, scope, session_id)
        async for record in watch(self._notifier, scope, session_id, read, after_seq=after_seq):
            yield record

    async def _read(self, script: str, scope: Scope, session_id: str, options: Mapping[str, Any]) -> Reply:
        return await self._client.run(session_call(script, self._keys, scope, session_id, options), Effect.READ)


def _appended(drafts: Sequence[MessageDraft], *, last_seq: int, now: bytes) -> list[MessageRecord]:
    at = text_time(now)
    return [
        MessageRecord(id=draft.id, seq=seq, role=draft.role, payload=draft.payload, created_at=draft.created_at or at)
        for seq, draft in enumerate(drafts, last_seq + 1)
    ]


def raise_for(reply: Reply, session_id: str, *, expected: int | None = None, expected_seq: int | None = None) -> None:
    """Raises the error that a script's reply stands for: `SessionNotFound`, `Conflict`."""
    match reply[0]:
        case b"absent":
            raise SessionNotFound(session_id)
        case b"partly":
            raise Conflict("a batch of which some ids are stored", expected="all or none", actual=reply[1])
        case b"version":
            raise Conflict("the session's version", expected=expected, actual=reply[1])
        case b"last_seq":
            raise Conflict("the session's last seq", expected=expected_seq, actual=reply[1])
        case _:
            return
