"""Appending: one update of the session's document, and no look before it if core drew the ids."""

from __future__ import annotations

from collections.abc import Container, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from agentkeep.errors import OutcomeUnknown, PersistenceError, SessionNotFound
from agentkeep.records import Append, AppendedRecord, MessageRecord, Scope, SessionRecord, expiry
from agentkeep.spi.outcomes import added, changed_fields
from bson import Int64, ObjectId
from pymongo import ReturnDocument
from pymongo.errors import ExecutionTimeout

from agentkeep_mongo import statements
from agentkeep_mongo.batches import (
    Batch,
    check_expected,
    drawn_id,
    first_batch,
    is_plain,
    living_session,
    message_records,
    new_session_with,
    owner_filter,
    stored_already,
)
from agentkeep_mongo.client import RECHECK, Client, Recheck
from agentkeep_mongo.commit import Change, Commits
from agentkeep_mongo.concerns import Collections, Document
from agentkeep_mongo.documents import Life, batch_entry, ids_of, micros, session_document, session_key, size_of, time_of
from agentkeep_mongo.log import Log, logged
from agentkeep_mongo.moving import MAX_PENDING_BYTES, STAGE_ABOVE_BYTES, Mover, is_time_to_move
from agentkeep_mongo.reading import Reading
from agentkeep_mongo.state import State, Stored

_AFTER_APPEND: Document = {
    "life": 1,
    "last_seq": 1,
    "version": 1,
    "updated_at": 1,
    "pending": 1,
    "pending_bytes": 1,
    "batch_count": {"$size": "$batches"},
}


def _expects_nothing(append: Append) -> bool:
    return append.expected_version in (None, 0) and append.expected_last_seq in (None, 0)


class Appending:
    def __init__(self, client: Client, commits: Commits, mover: Mover, reading: Reading) -> None:
        self._client = client
        self._commits = commits
        self._mover = mover
        self._reading = reading

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        is_new = bool(append.messages) and not append.may_be_stored
        if is_new and is_plain(append) and (size := size_of(append.messages)) <= STAGE_ABOVE_BYTES:
            entries = [batch_entry(each) for each in append.messages]
            batch = Batch(append.messages, entries, size, drawn_id(append))
            result = await self._append_plain(scope, append, batch, None)
            if result is None and append.create is not None and _expects_nothing(append):
                record = await self._append_to_new(scope, append, None, batch)
                result = None if record is None else _result(append, batch, [], record)
            if result is not None:
                return result
        return await self._append_looking(scope, append)

    async def append_joined(self, scope: Scope, appends: Sequence[Append]) -> AppendedRecord | None:
        """Appends to one session that bring new messages and nothing else, as one. None: send each by itself."""
        messages = [draft for each in appends for draft in each.messages]
        if len({draft.id for draft in messages}) < len(messages):
            return None  # one record came several times
        joined = Append(session_id=appends[0].session_id, messages=messages, may_be_stored=False)
        entries = [batch_entry(each) for each in messages]
        batch = Batch(messages, entries, size_of(messages), max(each.messages[0].id for each in appends))
        return await self._append_plain(scope, joined, batch, None)

    async def _append_plain(
        self, scope: Scope, append: Append, batch: Batch, state: State | None
    ) -> AppendedRecord | None:
        """Commit new messages and nothing else. None: the session's document says why it was not possible.

        `state` showed that none of the ids is stored. They still are not, if none is in the document and nothing was
        moved that came after that look. Without it core has drawn the ids: they are not stored if they are later than
        all drawn ids that were moved (IDEM-2).
        """
        entries = batch.entries if isinstance(batch.entries, list) else []
        guard: Document = {
            "_id": session_key(scope.tenant, append.session_id),
            "batches.messages.id": {"$nin": [each["id"] for each in entries]},
            "pending_bytes": {"$lte": MAX_PENDING_BYTES},
            "listed": True,
            **owner_filter(scope, append),
        }
        if append.expected_version is not None:
            guard["version"] = append.expected_version
        if append.expected_last_seq is not None:
            guard["last_seq"] = append.expected_last_seq
        if state is None:
            guard["moved_drawn"] = {"$not": {"$gte": min(each["id"] for each in entries)}}
        else:
            guard |= {"life": state.life.id, "moved": {"$lte": state.record.last_seq}}
        longest = self._commits.longest
        if state is not None and state.record.idle_ttl is not None:
            longest = state.milliseconds_to_write(longest)
        guard |= statements.may_append(longest)
        count, last = len(entries), entries[-1].get("at")
        first = statements.added("last_seq", 1)
        stored = statements.new_batch(
            batch.stored, count, batch.size, first=first, version="$version", at="$updated_at"
        )
        pipeline = statements.append_batch(stored, count, batch.size, last)

        async def send(to: Collections) -> Document | Recheck | None:
            try:
                return await to.sessions.find_one_and_update(
                    guard, pipeline, _AFTER_APPEND, return_document=ReturnDocument.AFTER, maxTimeMS=longest
                )
            except ExecutionTimeout:  # the server ended it, most likely before it wrote: the ids tell
                return RECHECK

        done = await self._client.commit(send)
        if done is None or isinstance(done, Recheck):
            return None
        if is_time_to_move(done, count, batch.size):
            await self._mover.relieve(Life(done["_id"], done["life"]), done["batch_count"])
        last_seq = int(done["last_seq"])
        records = message_records(batch, last_seq - count, int(done["updated_at"]))
        return AppendedRecord(records, int(done["version"]), last_seq, count)

    async def _append_looking(self, scope: Scope, append: Append) -> AppendedRecord:
        """Append after a look at what is stored, as often as somebody else is faster."""
        staged: dict[tuple[str, ...], Batch] = {}

        async def attempt(state: State | None) -> AppendedRecord | None:
            living = living_session(scope, append, state)
            stored = [] if living is None else stored_already(living, append)
            is_repeated = bool(append.messages) and len(stored) == len(append.messages)
            if not is_repeated:
                check_expected(append, living)
            known_records = await self._read(scope, append, stored)
            if known_records is None:
                return None
            if is_repeated:
                return _repeated(append, stored, known_records)
            known = {each.id for each in stored}
            batch = await self._batch(scope, append, known, staged)
            if living is not None:
                if living.document["pending_bytes"] > MAX_PENDING_BYTES:
                    await self._mover.move(living.life)
                    return None
                if not known and batch.drafts and batch.staged is None and is_plain(append) and not living.held_by:
                    return await self._append_plain(scope, append, batch, living)
                done = await self._append_to(append, living, batch)
            else:
                done = await self._append_to_new(scope, append, state, batch)
            if done is None:
                return None
            staged.pop(tuple(each.id for each in batch.drafts), None)
            return _result(append, batch, known_records, done)

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
            return Batch(drafts, entries, size, drawn_id(append))
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
                statements.new_batch(batch.stored, count, batch.size, first=first, version=version, at=at),
                batch.times(moment),
            )
        if append.keep_last is not None:
            await log.keep_last(append.keep_last)
        if batch.staged is not None:
            fields["unsettled"] = 1
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
        moment = statements.BEGINNING if state is None else time_of(state.moment)
        record, labels = new_session_with(append, batch, moment)
        document = session_document(scope, record, labels)
        if record.message_count:
            document |= first_batch(batch, record.message_count, record.version, int(micros(moment) or 0))
        document["floor"] = Int64(record.last_seq - record.message_count)
        if state is None:
            is_now = bool(record.message_count) and batch.drafts[-1].created_at is None
            relative = statements.relative_times(record, last_message=is_now)
            made = await self._commits.create_absent(document, relative, is_repeatable=append.is_repeatable)
            if not isinstance(made, int):
                return None
            record, _ = new_session_with(append, batch, time_of(made))
        elif await self._commits.create(document, state, is_repeatable=append.is_repeatable) is not True:
            return None
        if batch.staged is not None:
            await self._mover.relieve(Life(document["_id"], document["life"]), 0)
        return record

    async def _read(self, scope: Scope, append: Append, stored: Sequence[Stored]) -> list[MessageRecord] | None:
        """The messages of the call that are stored, read before the call may remove some of them (IDEM-3).

        None: somebody else has removed some of them.
        """
        if not stored:
            return []
        try:
            found = await self._reading.by_ids(scope, append.session_id, [each.id for each in stored])
        except SessionNotFound:
            return None
        return found if len(found) == len(stored) else None


def _result(append: Append, batch: Batch, known: Sequence[MessageRecord], record: SessionRecord) -> AppendedRecord:
    new = message_records(batch, record.last_seq - len(batch.drafts), int(micros(record.updated_at) or 0))
    by_id = {each.id: each for each in (*known, *new)}
    messages = [by_id[each.id] for each in append.messages]
    return AppendedRecord(messages, record.version, record.last_seq, len(new))


def _repeated(append: Append, stored: Sequence[Stored], known: Sequence[MessageRecord]) -> AppendedRecord:
    newest = max(stored, key=lambda each: each.seq)
    by_id = {each.id: each for each in known}
    return AppendedRecord([by_id[each.id] for each in append.messages], newest.version, newest.seq, 0)
