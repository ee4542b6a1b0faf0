"""The messages of a Redis server or cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from agentkeep.errors import MessageNotFound
from agentkeep.records import Append, AppendedRecord, MessageDraft, MessageRange, MessageRecord, Scope
from agentkeep.spi.notify import Notifier
from agentkeep.spi.outcomes import message_id_conflict
from agentkeep.spi.resend import Effect
from agentkeep.spi.watch import watch

from agentkeep_redis.client import RedisClient
from agentkeep_redis.driver import Reply
from agentkeep_redis.keys import Keys
from agentkeep_redis.outcomes import raise_for
from agentkeep_redis.rows import MessageRows, StoredMessage, change_options, draft_options, text_time
from agentkeep_redis.session_index import SessionIndex, Write, session_call


class RedisMessages:
    def __init__(
        self, client: RedisClient, keys: Keys, index: SessionIndex, notifier: Notifier, rows: MessageRows
    ) -> None:
        self._client = client
        self._keys = keys
        self._index = index
        self._notifier = notifier
        self._rows = rows

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        options = _append_options(scope, append)
        effect = Effect.REPEATABLE if append.is_repeatable else Effect.ONCE
        args = self._rows.draft_args(append.messages)
        write = Write("write", scope, append.session_id, options, args, effect)
        reply = await self._index.write(write, kind="w" if append.create is None else "c", defer=True)
        if reply[0] == b"stored":
            return self._repeated(append, reply[1:])
        raise_for(reply, append.session_id, options, given=len(append.messages))
        return self._appended(append, reply)

    def _repeated(self, append: Append, texts: Sequence[bytes]) -> AppendedRecord:
        """All messages are stored already. Raises `Conflict` if one has other content (IDEM-1)."""
        stored = [
            self._rows.stored(append.session_id, draft.id, text)
            for draft, text in zip(append.messages, texts, strict=True)
        ]
        if append.stored == "conflict":
            for message, draft in zip(stored, append.messages, strict=True):
                if message.content_key != draft.content_key:
                    raise message_id_conflict(draft.id)
        newest = max(stored, key=_seq_of)
        return AppendedRecord([message.record for message in stored], newest.version, newest.record.seq, 0)

    def _appended(self, append: Append, reply: Reply) -> AppendedRecord:
        _, _, now, version, last_seq, new, _, stored = reply
        at = text_time(now)
        seq = last_seq - new
        records: list[MessageRecord] = []
        for number, draft in enumerate(append.messages):
            if number < len(stored) and stored[number] is not None:
                records.append(self._rows.record(append.session_id, draft.id, stored[number]))
                continue
            seq += 1
            records.append(_record(draft, seq, draft.created_at or at))
        return AppendedRecord(records, int(version), last_seq, new)

    async def replace(
        self, scope: Scope, session_id: str, message: MessageDraft, *, expected: str
    ) -> MessageRecord | None:
        options = {"message": message.id, "expected": expected}
        reply = await self._index.write(Write("replace", scope, session_id, options, [self._rows.body(message)]))
        raise_for(reply, session_id, options)
        return None if reply[0] == b"changed" else self._rows.record(session_id, message.id, reply[2])

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
        records = self._rows.records(session_id, reply[3])
        return reply[1], records[::-1] if window.newest_first else records

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        found = await self.get_many(scope, session_id, [message_id])
        if not found:
            raise MessageNotFound(session_id, message_id)
        return found[0]

    async def get_many(self, scope: Scope, session_id: str, message_ids: Sequence[str]) -> Sequence[MessageRecord]:
        reply = await self._read("by_id", scope, session_id, {}, message_ids)
        pairs = zip(message_ids, reply[1:], strict=True)
        return [self._rows.record(session_id, id, text) for id, text in pairs if text is not None]

    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        return await self._remove(scope, session_id, {"after": after_seq})

    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        return await self._remove(scope, session_id, {"keep": keep_last})

    async def _remove(self, scope: Scope, session_id: str, options: dict[str, Any]) -> int:
        reply = await self._index.write(Write("write", scope, session_id, options))
        raise_for(reply, session_id)
        return reply[6]

    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        reply = await self._index.write(Write("write", scope, session_id, {"pop": True}))
        raise_for(reply, session_id)
        popped = self._rows.records(session_id, reply[7])
        return popped[0] if popped else None

    def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        async def read(window: MessageRange) -> tuple[bytes, list[MessageRecord]]:
            return await self._range(scope, session_id, window)

        return watch(self._notifier, scope, session_id, read, after_seq=after_seq)

    async def _read(
        self, script: str, scope: Scope, session_id: str, options: dict[str, Any], args: Sequence[str] = ()
    ) -> Reply:
        reply = await self._client.run(session_call(script, self._keys, scope, session_id, options, args), Effect.READ)
        raise_for(reply, session_id)
        return reply


def _append_options(scope: Scope, append: Append) -> dict[str, Any]:
    options: dict[str, Any] = {
        "skip": True if append.stored == "skip" else None,
        "version": append.expected_version,
        "last_seq": append.expected_last_seq,
        "after": append.truncate_after,
        "keep": append.keep_last,
        "add": append.add,
        "slide": None if append.messages else True,
    }
    if append.create is not None:
        options |= {"create": draft_options(append.create), "tenant": scope.tenant}
    if append.changes is not None:
        options |= change_options(append.changes)
    return options


def _record(draft: MessageDraft, seq: int, created_at: datetime) -> MessageRecord:
    return MessageRecord(id=draft.id, seq=seq, role=draft.role, payload=draft.payload, created_at=created_at)


def _seq_of(message: StoredMessage) -> int:
    return message.record.seq
