"""The messages of a memory database."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import msgspec
from agentkeep.errors import MessageNotFound, SessionNotFound
from agentkeep.records import (
    Append,
    AppendedRecord,
    HitRecord,
    MessageDraft,
    MessageRange,
    MessageRecord,
    Scope,
    SearchQuery,
    SessionQuery,
    new_session,
)
from agentkeep.spi.outcomes import (
    added,
    check_owner,
    check_same_content,
    check_visible,
    last_seq_conflict,
    version_conflict,
)

from agentkeep_memory.client import Client
from agentkeep_memory.listing import matching
from agentkeep_memory.rows import Entry, StoredMessage, seq_of, stored_message
from agentkeep_memory.search import search
from agentkeep_memory.watch import watch_session


class MemoryMessages:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        with self._client.lock:
            now = self._client.now()
            entry, is_new = self._entry_for(scope, append, now)
            stored = _stored_already(entry, append)
            if append.messages and len(stored) == len(append.messages):
                return _repeated(stored, append)
            version, last_seq = (0, 0) if is_new else (entry.record.version, entry.record.last_seq)
            if append.expected_version not in (None, version):
                raise version_conflict(append.expected_version or 0, version)
            if append.expected_last_seq not in (None, last_seq):
                raise last_seq_conflict(append.expected_last_seq or 0, last_seq)
            if append.add is not None:
                entry.record = msgspec.structs.replace(entry.record, counters=added(entry.record.counters, append.add))
            new = self._write(entry, append, stored, now)
            self._client.put(scope, entry)
            by_id = {message.id: message for message in (*stored, *new)}
            result: list[MessageRecord] = [by_id[draft.id] for draft in append.messages]
            return AppendedRecord(result, entry.record.version, entry.record.last_seq, len(new))

    def _entry_for(self, scope: Scope, append: Append, now: datetime) -> tuple[Entry, bool]:
        """The session to append to, and whether it is new. A new one is not stored yet (SES-4, SES-7, ISO-4)."""
        entry = self._client.find_any(scope, append.session_id, now)
        if entry is None:
            if append.create is None:
                raise SessionNotFound(append.session_id)
            return Entry(new_session(append.create, now), frozenset(append.create.labels)), True
        if append.create is not None:
            check_owner(scope, append.create, entry.record.user_id)
        check_visible(scope, append.session_id, entry.record.user_id)
        return entry, False

    def _write(
        self, entry: Entry, append: Append, stored: Sequence[StoredMessage], now: datetime
    ) -> list[StoredMessage]:
        """Nothing here raises (ORD-6). Returns the new messages."""
        if append.truncate_after is not None:
            entry.cut(bisect_right(entry.log, append.truncate_after, key=seq_of), len(entry.log))
        version = entry.record.version + (append.changes is not None)
        known = {message.id for message in stored}
        drafts = [draft for draft in append.messages if draft.id not in known]
        new = [
            stored_message(draft, seq=seq, version=version, now=now)
            for seq, draft in enumerate(drafts, entry.record.last_seq + 1)
        ]
        entry.add(new)
        entry.touch(now, append.changes, slide=True)
        if append.keep_last is not None:
            entry.cut(0, max(0, len(entry.log) - append.keep_last))
            entry.touch(now)
        return new

    async def replace(
        self, scope: Scope, session_id: str, message: MessageDraft, *, expected: str
    ) -> MessageRecord | None:
        with self._client.lock:
            now = self._client.now()
            entry = self._client.find(scope, session_id, now)
            stored = _message(entry, message.id)
            if stored.content_key != expected:
                return None
            replaced = msgspec.structs.replace(
                stored,
                role=message.role,
                payload=message.payload,
                content_key=message.content_key,
                search_text=message.search_text,
            )
            entry.log[bisect_left(entry.log, replaced.seq, key=seq_of)] = replaced
            entry.by_id[message.id] = replaced
            entry.touch(now)
            return replaced

    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> Sequence[MessageRecord]:
        with self._client.lock:
            return self._client.find(scope, session_id, self._client.now()).range(window)

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        with self._client.lock:
            return _message(self._client.find(scope, session_id, self._client.now()), message_id)

    async def get_many(self, scope: Scope, session_id: str, message_ids: Sequence[str]) -> Sequence[MessageRecord]:
        with self._client.lock:
            by_id = self._client.find(scope, session_id, self._client.now()).by_id
            return [by_id[message_id] for message_id in message_ids if message_id in by_id]

    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        with self._client.lock:
            now = self._client.now()
            entry = self._client.find(scope, session_id, now)
            removed = entry.cut(bisect_right(entry.log, after_seq, key=seq_of), len(entry.log))
            entry.touch(now)
            return len(removed)

    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        with self._client.lock:
            now = self._client.now()
            entry = self._client.find(scope, session_id, now)
            removed = entry.cut(0, max(0, len(entry.log) - keep_last))
            entry.touch(now)
            return len(removed)

    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        with self._client.lock:
            now = self._client.now()
            entry = self._client.find(scope, session_id, now)
            removed = entry.cut(max(0, len(entry.log) - 1), len(entry.log))
            entry.touch(now)
            return removed[0] if removed else None

    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        with self._client.lock:
            now = self._client.now()
            if query.session_id is None:
                entries = self._client.visible(scope, now)
            else:
                entries = iter([self._client.find(scope, query.session_id, now)])
            wanted = SessionQuery(user_id=query.user_id, agent_name=query.agent_name)
            return search(matching(entries, wanted), query)

    def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        return watch_session(self._client, scope, session_id, after_seq)


def _stored_already(entry: Entry, append: Append) -> list[StoredMessage]:
    """The call's messages that the session holds (IDEM-1, IDEM-3). Raises `Conflict`."""
    stored = [entry.by_id[draft.id] for draft in append.messages if draft.id in entry.by_id]
    if append.stored == "conflict":
        check_same_content(append, [message.content_key for message in stored])
    return stored


def _repeated(stored: Sequence[StoredMessage], append: Append) -> AppendedRecord:
    newest = max(stored, key=seq_of)
    by_id = {message.id: message for message in stored}
    return AppendedRecord([by_id[draft.id] for draft in append.messages], newest.version, newest.seq, 0)


def _message(entry: Entry, message_id: str) -> StoredMessage:
    message = entry.by_id.get(message_id)
    if message is None:
        raise MessageNotFound(entry.record.id, message_id)
    return message
