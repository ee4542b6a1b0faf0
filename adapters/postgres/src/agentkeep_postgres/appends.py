"""Appends. Plain ones of several callers that wait for each other share one statement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import NamedTuple

from agentkeep.errors import AlreadyExists, LimitExceeded, Refused, SessionNotFound
from agentkeep.records import Append, AppendedRecord, MessageDraft, MessageRecord, Scope
from agentkeep.spi.outcomes import (
    batch_conflict,
    has_condition,
    last_seq_conflict,
    message_id_conflict,
    new_message,
    version_conflict,
)
from agentkeep.spi.resend import Effect
from agentkeep.spi.together import Sending, Together

from agentkeep_postgres.client import Client
from agentkeep_postgres.drivers import Row
from agentkeep_postgres.errors import check_counters, found_expired, is_duplicate
from agentkeep_postgres.rows import add_json, changes_json, draft_json, from_micros
from agentkeep_postgres.statements import Statements

MAX_APPEND_BYTES = 1_000 * 1024 * 1024
"""Of one append's texts. PostgreSQL 15 refuses a protocol message of 1 GiB or more: "invalid message length"."""
_MAX_CHARACTER_BYTES = 4
"""In UTF-8."""


class _Call(NamedTuple):
    scope: Scope
    append: Append

    @property
    def session(self) -> tuple[str, str]:
        return self.scope.tenant, self.append.session_id

    @property
    def size(self) -> int:
        return sum(len(draft.payload) + len(draft.search_text) for draft in self.append.messages)


class Appends:
    def __init__(self, client: Client, statements: Statements) -> None:
        self._client = client
        self._sql = statements
        self._together: Together[_Call, AppendedRecord] = Together(
            send_one=self._send_one,
            send_many=self._send_many,
            key=lambda call: call.session,
            size=lambda call: call.size,
            seconds=client.seconds,
        )

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        if not _is_plain(append):
            return await self._append(scope, append)
        self._client.check_usable()  # in a fork, other calls may wait for an exchange that only the parent knows
        return await self._together.run(_Call(scope, append))

    async def _send_one(self, call: _Call, sending: Sending) -> AppendedRecord:
        return await self._append(call.scope, call.append, sending)

    async def _append(self, scope: Scope, append: Append, sending: Sending | None = None) -> AppendedRecord:
        values = _append_values(scope, append)
        effect = Effect.REPEATABLE if append.is_repeatable else Effect.ONCE
        again = {"may_be_stored": True}
        with found_expired(append.session_id):
            try:
                rows = await self._client.write(
                    self._sql["append"], values, effect=effect, resent=again, sending=sending
                )
            except Refused as error:
                # An id that should be new is stored: the record was sent before (IDEM-2).
                if append.may_be_stored or not is_duplicate(error):
                    raise
                rows = await self._client.write(
                    self._sql["append"], {**values, **again}, effect=effect, sending=sending
                )
        return _appended(append, rows[0])

    async def _send_many(self, calls: Sequence[_Call], sending: Sending) -> Sequence[AppendedRecord | None]:
        by_session: dict[tuple[str, str], _Joined] = {}
        joined = [by_session.setdefault(call.session, _Joined(call.scope)).add(call) for call in calls]
        if len(by_session) == 1:
            if not all(joined):
                return [None] * len(calls)
            found = [await self._append_joined(next(iter(by_session.values())), sending)]
        else:
            found = await self._append_many(list(by_session.values()), sending)
        results = {session: iter(records) for session, records in zip(by_session, found, strict=True)}
        return [
            next(results[call.session], None) if is_joined else None
            for call, is_joined in zip(calls, joined, strict=True)
        ]

    async def _append_joined(self, joined: _Joined, sending: Sending) -> Sequence[AppendedRecord]:
        """The calls for one session as one append."""
        append = Append(session_id=joined.calls[0].append.session_id, messages=joined.messages, may_be_stored=False)
        values = _append_values(joined.scope, append)
        rows = await self._client.write(self._sql["append"], values, sending=sending)
        record = _appended(append, rows[0])
        return list(_split(joined, record.messages, record.version))

    async def _append_many(self, sessions: Sequence[_Joined], sending: Sending) -> Sequence[Sequence[AppendedRecord]]:
        """For each session the results of its calls, or nothing if its calls must be sent by themselves."""
        rows = await self._client.write(self._sql["append_many"], _many_values(sessions), sending=sending)
        found: list[Sequence[AppendedRecord]] = [()] * len(sessions)
        for row in rows:
            place, last_seq, version, moment = row
            joined = sessions[int(place) - 1]
            messages = [new_message(draft, seq, moment) for seq, draft in enumerate(joined.messages, last_seq + 1)]
            found[int(place) - 1] = list(_split(joined, messages, version))
        return found


class _Joined:
    """Calls of one scope for one session, in their order."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.calls: list[_Call] = []
        self.messages: list[MessageDraft] = []

    def add(self, call: _Call) -> bool:
        """Returns False for a call of another scope, which may not see the session."""
        if call.scope != self.scope:
            return False
        self.calls.append(call)
        self.messages.extend(call.append.messages)
        return True


def _is_plain(append: Append) -> bool:
    """Whether it only adds messages whose ids are new."""
    return bool(append.messages) and not append.may_be_stored and not append.has_options


def _split(joined: _Joined, messages: Sequence[MessageRecord], version: int) -> Iterator[AppendedRecord]:
    """The result of each call."""
    start = 0
    for call in joined.calls:
        end = start + len(call.append.messages)
        yield AppendedRecord(messages[start:end], version, messages[end - 1].seq, end - start)
        start = end


def _many_values(sessions: Sequence[_Joined]) -> Mapping[str, object]:
    drafts = [draft for joined in sessions for draft in joined.messages]
    _check_size(drafts)
    return {
        "tenants": [joined.scope.tenant for joined in sessions],
        "users": [joined.scope.user_id for joined in sessions],
        "sessions": [joined.calls[0].append.session_id for joined in sessions],
        "added": [str(len(joined.messages)) for joined in sessions],
        "last_times": [_time(joined.messages[-1]) for joined in sessions],
        "places": [str(place) for place, joined in enumerate(sessions, 1) for _ in joined.messages],
        "numbers": [str(number) for joined in sessions for number in range(1, len(joined.messages) + 1)],
        **_columns(drafts),
        "times": [_time(draft) for draft in drafts],
    }


def _columns(drafts: Sequence[MessageDraft]) -> dict[str, object]:
    return {
        "ids": [draft.id for draft in drafts],
        "roles": [draft.role for draft in drafts],
        "payloads": [draft.payload for draft in drafts],
        "keys": [draft.content_key for draft in drafts],
        "searches": [draft.search_text for draft in drafts],
    }


def _time(draft: MessageDraft) -> str | None:
    return draft.created_at and draft.created_at.isoformat()


def _append_values(scope: Scope, append: Append) -> dict[str, object]:
    """Raises `LimitExceeded`."""
    times = [_time(draft) for draft in append.messages]
    _check_size(append.messages)
    return {
        "tenant": scope.tenant,
        "scope_user": scope.user_id,
        "session_id": append.session_id,
        **_columns(append.messages),
        "times": times if any(times) else None,
        "may_be_stored": append.may_be_stored or has_condition(append),
        "skip": append.stored == "skip",
        "create": draft_json(append.create),
        "expected_version": append.expected_version,
        "expected_last_seq": append.expected_last_seq,
        "truncate_after": append.truncate_after,
        "keep_last": append.keep_last,
        "changes": changes_json(append.changes),
        "add": add_json(append.add),
    }


def _check_size(drafts: Sequence[MessageDraft]) -> None:
    """Raises `LimitExceeded` (FID-4)."""
    texts = [text for draft in drafts for text in (draft.payload, draft.search_text)]
    if sum(map(len, texts)) * _MAX_CHARACTER_BYTES <= MAX_APPEND_BYTES:
        return
    size = sum(len(text.encode()) for text in texts)
    if size > MAX_APPEND_BYTES:
        raise LimitExceeded("bytes of one append, the copies for search included", limit=MAX_APPEND_BYTES, actual=size)


def _appended(append: Append, row: Row) -> AppendedRecord:
    outcome, actual, counter, version, last_seq, moment, *stored = row
    _check(append, outcome, actual)
    check_counters(outcome, counter, actual)
    known = zip(*stored, strict=True) if stored[0] is not None else repeat(None)
    messages: list[MessageRecord] = []
    new = 0
    for draft, columns in zip(append.messages, known, strict=False):
        if columns is not None and columns[0] is not None:
            messages.append(_stored(draft.id, *columns))
            continue
        new += 1
        messages.append(new_message(draft, actual + new, moment))
    return AppendedRecord(messages, version, last_seq, new)


def _stored(id: str, seq: str, role: str, payload: str, time: str) -> MessageRecord:
    return MessageRecord(id=id, seq=int(seq), role=role, payload=payload, created_at=from_micros(time))


def _check(append: Append, outcome: str, actual: int) -> None:
    """Raises the error that an outcome means."""
    if outcome == "absent":
        raise SessionNotFound(append.session_id)
    if outcome == "foreign":
        raise AlreadyExists(append.session_id)
    if outcome == "version":
        raise version_conflict(append.expected_version or 0, actual)
    if outcome == "last_seq":
        raise last_seq_conflict(append.expected_last_seq or 0, actual)
    if outcome == "batch":
        raise batch_conflict(actual, len(append.messages))
    if outcome == "message_id":
        raise message_id_conflict(append.messages[actual - 1].id)
