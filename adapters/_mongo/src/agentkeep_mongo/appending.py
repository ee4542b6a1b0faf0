"""Appending: one update of the session's document, and no look before it if core drew the ids."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec
from agentkeep.errors import OutcomeUnknown, PersistenceError, SessionNotFound
from agentkeep.records import (
    Append,
    AppendedRecord,
    MessageDraft,
    MessageRecord,
    Scope,
    SessionRecord,
    expiry,
    new_session,
)
from agentkeep.spi.outcomes import (
    added,
    batch_conflict,
    changed_fields,
    check_owner,
    check_visible,
    last_seq_conflict,
    message_id_conflict,
    version_conflict,
)
from bson import Int64, ObjectId
from pymongo import ReturnDocument

from agentkeep_mongo import statements
from agentkeep_mongo.client import Client, Document, Recheck
from agentkeep_mongo.commit import Change, Commits, Log, State, Stored, logged
from agentkeep_mongo.documents import Life, batch_entry, ids_of, micros, session_document, session_key, size_of, time_of
from agentkeep_mongo.moving import MAX_PENDING_BYTES, STAGE_ABOVE_BYTES, Mover, is_time_to_move
from agentkeep_mongo.reading import Reading

_REMEMBERED = 20_000


class Recent:
    """The first ids of this repository's latest appends: a record that is sent twice is seen here (IDEM-2)."""

    def __init__(self) -> None:
        self._ids: OrderedDict[tuple[str, str, str], None] = OrderedDict()

    def has(self, scope: Scope, append: Append) -> bool:
        """Whether it was sent before; from now on it was."""
        key = (scope.tenant, append.session_id, append.messages[0].id)
        if key in self._ids:
            return True
        self._ids[key] = None
        if len(self._ids) > _REMEMBERED:
            self._ids.popitem(last=False)
        return False


class Batch(NamedTuple):
    """New messages, as they will stand in a session's document; or only their id, if they went ahead."""

    drafts: Sequence[MessageDraft]
    entries: list[Document] | ObjectId
    size: int

    @property
    def staged(self) -> ObjectId | None:
        return self.entries if isinstance(self.entries, ObjectId) else None

    def times(self, moment: int) -> list[int]:
        return [moment if each.created_at is None else int(micros(each.created_at) or 0) for each in self.drafts]


class Appending:
    def __init__(self, client: Client, commits: Commits, mover: Mover, reading: Reading) -> None:
        self._client = client
        self._commits = commits
        self._mover = mover
        self._reading = reading
        self._recent = Recent()

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        is_new = bool(append.messages) and not self._recent.has(scope, append) and not append.may_be_stored
        if is_new and _is_plain(append) and (size := size_of(append.messages)) <= STAGE_ABOVE_BYTES:
            batch = Batch(append.messages, [batch_entry(each) for each in append.messages], size)
            result = await self._append_plain(scope, append, batch, None)
            if result is not None:
                return result
        return await self._append_looking(scope, append)

    async def _append_plain(
        self, scope: Scope, append: Append, batch: Batch, state: State | None
    ) -> AppendedRecord | None:
        """Commit new messages and nothing else. None: the session's document says why it was not possible.

        `state` showed that none of the ids is stored. They still are not, if none is in the document and nothing was
        moved that came after that look.
        """
        entries = batch.entries if isinstance(batch.entries, list) else []
        guard: Document = {
            "_id": session_key(scope.tenant, append.session_id),
            "batches.messages.id": {"$nin": [each["id"] for each in entries]},
            "pending_bytes": {"$lte": MAX_PENDING_BYTES},
            **_owner(scope, append),
            **statements.ALIVE_AND_FREE,
        }
        if append.expected_version is not None:
            guard["version"] = append.expected_version
        if append.expected_last_seq is not None:
            guard["last_seq"] = append.expected_last_seq
        if state is not None:
            guard |= {"life": state.life.id, "moved": {"$lte": state.record.last_seq}}
        count, last = len(entries), entries[-1].get("at")
        first = statements.added("last_seq", 1)
        stored = statements.new_batch(entries, count, batch.size, first=first, version="$version", at="$updated_at")
        pipeline = statements.append_batch(stored, count, batch.size, last)
        done = await self._client.commit(
            lambda to: to.sessions.find_one_and_update(
                guard, pipeline, _AFTER_APPEND, return_document=ReturnDocument.AFTER
            )
        )
        if done is None or isinstance(done, Recheck):
            return None
        if is_time_to_move(done, count, batch.size):
            await self._mover.relieve(Life(done["_id"], done["life"]), done["batch_count"])
        last_seq = int(done["last_seq"])
        records = _records(batch, last_seq - count, int(done["updated_at"]))
        return AppendedRecord(records, int(done["version"]), last_seq, count)

    async def _append_looking(self, scope: Scope, append: Append) -> AppendedRecord:
        """Append after a look at what is stored, as often as somebody else is faster."""
        staged: dict[tuple[str, ...], Batch] = {}

        async def attempt(state: State | None) -> AppendedRecord | None:
            living = _living(scope, append, state)
            stored = [] if living is None else _stored_already(living, append)
            if append.messages and len(stored) == len(append.messages):
                return await self._repeated(scope, append, stored)
            _check_expected(append, living)
            known = {each.id for each in stored}
            batch = await self._batch(scope, append, known, staged)
            if living is not None:
                if living.document["pending_bytes"] > MAX_PENDING_BYTES:
                    await self._mover.move(living.life)
                    return None
                if not known and batch.drafts and batch.staged is None and _is_plain(append) and not living.held_by:
                    return await self._append_plain(scope, append, batch, living)
                done = await self._append_to(append, living, batch)
            else:
                done = await self._append_to_new(scope, append, state, batch)
            if done is None:
                return None
            staged.pop(tuple(each.id for each in batch.drafts), None)
            return await self._result(scope, append, batch, stored, done)

        try:
            result = await self._commits.change(scope, append.session_id, attempt, ids=ids_of(append))
        except OutcomeUnknown:
            raise  # what was staged may be admitted: a sweep looks
        except PersistenceError:
            await self._unstage(scope, append, staged)
            raise
        await self._unstage(scope, append, staged)
        return result

    async def _batch(
        self, scope: Scope, append: Append, known: Container[str], staged: dict[tuple[str, ...], Batch]
    ) -> Batch:
        """The new messages; ahead of the commit if they are too large for the session's document."""
        drafts = [each for each in append.messages if each.id not in known]
        ids = tuple(each.id for each in drafts)
        if ids in staged:
            return staged[ids]
        size = size_of(drafts)
        entries = [batch_entry(each) for each in drafts]
        if size <= STAGE_ABOVE_BYTES:
            return Batch(drafts, entries, size)
        life = Life(session_key(scope.tenant, append.session_id), ObjectId())
        batch = staged[ids] = Batch(drafts, life.id, 0)
        await self._mover.stage_entries(life, scope, entries)
        return batch

    async def _unstage(self, scope: Scope, append: Append, staged: dict[tuple[str, ...], Batch]) -> None:
        for batch in staged.values():
            if batch.staged is not None:
                with suppress(PersistenceError):
                    await self._mover.unstage(Life(session_key(scope.tenant, append.session_id), batch.staged))

    async def _append_to(self, append: Append, state: State, batch: Batch) -> SessionRecord | None:
        """All that the call does to a living session. None: somebody else wrote first."""
        log, record, moment = Log(self._client, state), state.record, state.moment
        if append.truncate_after is not None:
            await log.truncate(append.truncate_after)
        fields: Document = {}
        changes: dict[str, Any] = {"version": record.version}
        if append.changes is not None:
            changes = changed_fields(record, append.changes, time_of(moment))
            changes["version"] = record.version + 1
            if "labels" in append.changes:
                fields["labels"] = list(append.changes["labels"])
        if append.add is not None:
            changes["counters"] = added(record.counters, append.add)
        if batch.drafts:
            first, version, at = Int64(log.top + 1), Int64(changes["version"]), Int64(moment)
            count = len(batch.drafts)
            log.add(
                statements.new_batch(batch.entries, count, batch.size, first=first, version=version, at=at),
                batch.times(moment),
            )
        if append.keep_last is not None:
            await log.keep_last(append.keep_last)
        if batch.staged is not None:
            fields["staged_batches"] = 1
        record = await logged(msgspec.structs.replace(record, **changes), log, moment)
        ends = expiry(record.ends_at, record.idle_ttl, record.updated_at)
        record = msgspec.structs.replace(record, expires_at=ends)
        change = Change(record, {**fields, **log.fields()}, log.expressions(), log.doomed)
        done = await self._commits.update(state, change, is_repeatable=append.is_repeatable)
        if done is not True:
            return None
        await self._afterwards(state.life, batch, log)
        return record

    async def _afterwards(self, life: Life, batch: Batch, log: Log) -> None:
        if batch.staged is not None:
            await self._mover.relieve(life, 0)
        elif is_time_to_move(log.totals(batch.size), len(batch.drafts), batch.size):
            await self._mover.relieve(life, log.batch_count)

    async def _append_to_new(
        self, scope: Scope, append: Append, state: State | None, batch: Batch
    ) -> SessionRecord | None:
        """Make the session with all that the call does to it. None: somebody else was first."""
        assert append.create is not None  # noqa: S101 - `_living` raised otherwise
        moment = await self._commits.server_time() if state is None else state.moment
        record = new_session(append.create, time_of(moment))
        labels = append.create.labels
        if append.changes is not None:
            changes = changed_fields(record, append.changes, record.created_at)
            labels = append.changes.get("labels", labels)
            record = msgspec.structs.replace(record, **changes, version=record.version + 1)
        if append.add is not None:
            record = msgspec.structs.replace(record, counters=added({}, append.add))
        count = len(batch.drafts)
        kept = count if append.keep_last is None else min(count, append.keep_last)
        times = batch.times(moment)
        record = msgspec.structs.replace(
            record, last_seq=count, message_count=kept, last_message_at=time_of(times[-1]) if kept else None
        )
        document = session_document(scope, record, labels)
        if kept:
            document |= _first_batch(batch, kept, record.version, moment)
        document["floor"] = Int64(count - kept)
        done = await self._commits.create(document, state, is_repeatable=append.is_repeatable)
        if done is not True:
            return None
        if batch.staged is not None:
            await self._mover.relieve(Life(document["_id"], document["life"]), 0)
        return record

    async def _result(
        self, scope: Scope, append: Append, batch: Batch, stored: Sequence[Stored], record: SessionRecord
    ) -> AppendedRecord:
        new = _records(batch, record.last_seq - len(batch.drafts), int(micros(record.updated_at) or 0))
        by_id = {each.id: each for each in new}
        if stored:
            known = await self._reading.by_ids(scope, append.session_id, [each.id for each in stored])
            by_id |= {each.id: each for each in known}
        messages = [by_id[each.id] for each in append.messages if each.id in by_id]
        return AppendedRecord(messages, record.version, record.last_seq, len(new))

    async def _repeated(self, scope: Scope, append: Append, stored: Sequence[Stored]) -> AppendedRecord | None:
        newest = max(stored, key=lambda each: each.seq)
        found = await self._reading.by_ids(scope, append.session_id, [each.id for each in stored])
        if len(found) < len(stored):
            return None  # some were removed since
        by_id = {each.id: each for each in found}
        return AppendedRecord([by_id[each.id] for each in append.messages], newest.version, newest.seq, 0)


_AFTER_APPEND: Document = {
    "life": 1,
    "last_seq": 1,
    "version": 1,
    "updated_at": 1,
    "pending": 1,
    "pending_bytes": 1,
    "batch_count": {"$size": "$batches"},
}


def _is_plain(append: Append) -> bool:
    """Whether it only adds messages."""
    others = (append.changes, append.add, append.truncate_after, append.keep_last)
    return all(each is None for each in others)


def _owner(scope: Scope, append: Append) -> Document:
    """The session is one that the call may use without a look (ISO-1, ISO-4)."""
    users = {scope.user_id, None if append.create is None else append.create.user_id} - {None}
    return {"user_id": {"$in": list(users)}} if users else {}


def _living(scope: Scope, append: Append, state: State | None) -> State | None:
    """The session to append to, if there is one alive (SES-4, SES-7, ISO-4)."""
    if state is None or not state.is_alive:
        if append.create is None:
            raise SessionNotFound(append.session_id)
        return None
    if append.create is not None:
        check_owner(scope, append.create, state.record.user_id)
    check_visible(scope, append.session_id, state.record.user_id)
    return state


def _stored_already(state: State, append: Append) -> list[Stored]:
    """The call's messages that the session holds (IDEM-1, IDEM-3). Raises `Conflict`."""
    stored = state.stored()
    if append.stored == "skip":
        return stored
    if stored and len(stored) < len(append.messages):
        raise batch_conflict(len(stored), len(append.messages))
    keys = {each.id: each.key for each in stored}
    for draft in append.messages:
        if draft.id in keys and keys[draft.id] != draft.content_key:
            raise message_id_conflict(draft.id)
    return stored


def _check_expected(append: Append, state: State | None) -> None:
    version, last_seq = (0, 0) if state is None else (state.record.version, state.record.last_seq)
    if append.expected_version not in (None, version):
        raise version_conflict(append.expected_version or 0, version)
    if append.expected_last_seq not in (None, last_seq):
        raise last_seq_conflict(append.expected_last_seq or 0, last_seq)


def _first_batch(batch: Batch, kept: int, version: int, moment: int) -> Document:
    """The fields of a new session's document that hold its messages."""
    count = len(batch.drafts)
    fields: Document = {"last": Int64(count), "version": Int64(version), "at": Int64(moment), "bytes": batch.size}
    if batch.staged is not None:
        return {"batches": [{"first": Int64(1), **fields, "staged": batch.staged}], "staged_batches": 1}
    entries = batch.entries[-kept:] if isinstance(batch.entries, list) else []
    stored = {"first": Int64(count - kept + 1), **fields, "messages": entries}
    return {"batches": [stored], "pending": kept, "pending_bytes": batch.size}


def _records(batch: Batch, last_seq: int, moment: int) -> list[MessageRecord]:
    return [
        MessageRecord(
            id=draft.id, seq=seq, role=draft.role, payload=draft.payload, created_at=draft.created_at or time_of(moment)
        )
        for seq, draft in enumerate(batch.drafts, last_seq + 1)
    ]
