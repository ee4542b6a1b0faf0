"""The messages of a memory database."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Sequence
from operator import attrgetter

import msgspec
from agentkeep.errors import Conflict, MessageNotFound
from agentkeep.records import (
    Append,
    HitRecord,
    MessageDraft,
    MessageRange,
    MessageRecord,
    Scope,
    SearchQuery,
    SessionQuery,
)
from agentkeep.spi.clock import Clock
from agentkeep.spi.notify import Notifier
from agentkeep.spi.text import searchable_text

from agentkeep_memory.sessions import check_version
from agentkeep_memory.tables import Entry, Tables, changed, slide
from agentkeep_memory.watch import watch_session

_seq = attrgetter("seq")
_EXCERPT = 40


class MemoryMessages:
    def __init__(self, tables: Tables, clock: Clock, notifier: Notifier) -> None:
        self._tables = tables
        self._clock = clock
        self._notifier = notifier

    async def append(self, scope: Scope, append: Append) -> list[MessageRecord]:
        with self._tables.lock:
            now = self._clock()
            entry = self._tables.living(scope, append.session_id, now)
            stored = stored_before(entry, append.messages)
            if stored:
                return stored
            check_version(entry, append.expected_version)
            last_seq = entry.record.last_seq
            if append.expected_last_seq not in (None, last_seq):
                raise Conflict("the session's last seq", expected=append.expected_last_seq, actual=last_seq)
            if append.truncate_after is not None:
                _cut(entry, bisect_right(entry.log, append.truncate_after, key=_seq), len(entry.log))
            added = [
                MessageRecord(
                    id=draft.id, seq=seq, role=draft.role, payload=draft.payload, created_at=draft.created_at or now
                )
                for seq, draft in enumerate(append.messages, last_seq + 1)
            ]
            entry.log += added
            entry.by_id |= {message.id: message for message in added}
            changed(entry, now, append.changes)
            if append.keep_last is not None:
                _cut(entry, 0, max(0, len(entry.log) - append.keep_last))
                changed(entry, now, None)
            slide(entry, now, append.idle_ttl)
            self._tables.notifiers.notify((scope.tenant, append.session_id))
            return added

    async def replace(
        self, scope: Scope, session_id: str, message_id: str, *, role: str, payload: str, expected: MessageRecord
    ) -> MessageRecord | None:
        with self._tables.lock:
            now = self._clock()
            entry = self._tables.living(scope, session_id, now)
            stored = _message(entry, message_id)
            if (stored.role, stored.payload) != (expected.role, expected.payload):
                return None
            record = msgspec.structs.replace(stored, role=role, payload=payload)
            entry.log[bisect_left(entry.log, record.seq, key=_seq)] = record
            entry.by_id[message_id] = record
            changed(entry, now, None)
            return record

    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> list[MessageRecord]:
        with self._tables.lock:
            log = self._tables.living(scope, session_id, self._clock()).log
            start = bisect_right(log, window.after, key=_seq)
            end = len(log) if window.before is None else bisect_left(log, window.before, key=_seq)
            if window.newest_first:
                return log[max(start, end - window.limit) : end][::-1]
            return log[start : min(end, start + window.limit)]

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        with self._tables.lock:
            return _message(self._tables.living(scope, session_id, self._clock()), message_id)

    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        with self._tables.lock:
            now = self._clock()
            entry = self._tables.living(scope, session_id, now)
            gone = _cut(entry, bisect_right(entry.log, after_seq, key=_seq), len(entry.log))
            changed(entry, now, None)
            return len(gone)

    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        with self._tables.lock:
            now = self._clock()
            entry = self._tables.living(scope, session_id, now)
            gone = _cut(entry, 0, max(0, len(entry.log) - keep_last))
            changed(entry, now, None)
            return len(gone)

    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        with self._tables.lock:
            now = self._clock()
            entry = self._tables.living(scope, session_id, now)
            gone = _cut(entry, max(0, len(entry.log) - 1), len(entry.log))
            changed(entry, now, None)
            return gone[0] if gone else None

    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        words = query.text.casefold().split()
        with self._tables.lock:
            now = self._clock()
            if query.session_id is not None:
                self._tables.living(scope, query.session_id, now)
            wanted = SessionQuery(user_id=query.user_id, agent_name=query.agent_name)
            hits = [
                hit
                for entry in self._tables.matching(scope, wanted, now)
                if words and query.session_id in (None, entry.record.id)
                for message in entry.log
                if query.role in (None, message.role) and (hit := _hit(entry.record.id, message, words))
            ]
        return sorted(hits, key=lambda hit: -hit.score)[: query.limit]

    def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        return watch_session(self._tables, self._clock, self._notifier, scope, session_id, after_seq)


def stored_before(entry: Entry, drafts: Sequence[MessageDraft]) -> list[MessageRecord]:
    """What is stored already of a batch (IDEM-1): all of it, or none. Raises `Conflict`."""
    found = [entry.by_id[draft.id] for draft in drafts if draft.id in entry.by_id]
    if found and len(found) < len(drafts):
        raise Conflict("a batch of which some ids are stored", expected="all or none", actual=f"{len(found)}")
    for stored, draft in zip(found, drafts, strict=False):
        if (stored.role, stored.payload) != (draft.role, draft.payload):
            raise Conflict(f"message {draft.id!r} is stored", expected="the same content", actual="other content")
    return found


def _message(entry: Entry, message_id: str) -> MessageRecord:
    message = entry.by_id.get(message_id)
    if message is None:
        raise MessageNotFound(entry.record.id, message_id)
    return message


def _cut(entry: Entry, start: int, end: int) -> list[MessageRecord]:
    gone = entry.log[start:end]
    del entry.log[start:end]
    for message in gone:
        del entry.by_id[message.id]
    return gone


def _hit(session_id: str, message: MessageRecord, words: list[str]) -> HitRecord | None:
    text = searchable_text(message.payload)
    folded = text.casefold()
    if not all(word in folded for word in words):
        return None
    score = sum(folded.count(word) for word in words)
    highlights = [_excerpt(text, folded.index(word), len(word)) for word in words]
    return HitRecord(session_id=session_id, message=message, score=float(score), highlights=highlights)


def _excerpt(text: str, start: int, length: int) -> str:
    end = start + length
    return f"{text[max(0, start - _EXCERPT) : start]}**{text[start:end]}**{text[end : end + _EXCERPT]}"
