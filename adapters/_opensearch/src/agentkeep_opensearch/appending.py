"""Appends to one session share a commit: those of this process that wait at the same time are computed in turn, and
their results land together. An append's own errors are its own."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agentkeep.errors import OutcomeUnknown, PersistenceError, SessionNotFound, Unavailable
from agentkeep.records import Append, AppendedRecord, Scope, SessionRecord, expiry, new_session
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
from msgspec.structs import replace

from agentkeep_opensearch import log
from agentkeep_opensearch.client import Client
from agentkeep_opensearch.commit import Pointed, Store, new_life
from agentkeep_opensearch.documents import Loaded, Message, Session, message_of, moment_of
from agentkeep_opensearch.notify import SessionNotifier
from agentkeep_opensearch.statements import session_key

_WITHOUT = ("state", "metadata", "labels")
_MOST_APPENDS = 64
_MOST_CHARACTERS = 4 * 1024 * 1024
"""Of one commit, if it has more than one append."""
_KNOWN_RECORDS = 20_000
_MARGIN_MICROS = 50_000
"""A session that expires within 50 ms takes no append, because the commit might land later (TTL-1)."""


@dataclass(eq=False)
class _Item:
    scope: Scope
    append: Append
    may_be_stored: bool
    result: asyncio.Future[AppendedRecord]
    deadline: float
    is_taken: bool = False


class _Needs(Exception):
    """The computation needs a message that only its document has."""

    def __init__(self, seq: int) -> None:
        super().__init__(seq)
        self.seq = seq


class Appender:
    def __init__(self, client: Client, store: Store, notifier: SessionNotifier) -> None:
        self._client = client
        self._store = store
        self._notifier = notifier
        self._waiting: dict[tuple[str, str], deque[_Item]] = {}
        self._seen: OrderedDict[str, None] = OrderedDict()
        """First ids of the newest records, to know one that is sent a second time (IDEM-2)."""

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        loop = asyncio.get_running_loop()
        may_be_stored = append.may_be_stored or self._was_seen(append)
        item = _Item(scope, append, may_be_stored, loop.create_future(), self._client.deadline)
        key = (scope.tenant, append.session_id)
        if key in self._waiting:
            self._waiting[key].append(item)
        else:
            self._waiting[key] = deque([item])
            self._client.spawn(self._work(key))
        try:
            async with asyncio.timeout_at(item.deadline):
                return await item.result
        except TimeoutError:
            if item.is_taken:
                raise OutcomeUnknown(f"{self._client.server}: no answer in time (option timeout)") from None
            raise Unavailable(f"{self._client.server}: other appends to this session took too long") from None

    def _was_seen(self, append: Append) -> bool:
        if not append.messages:
            return False
        first = append.messages[0].id
        was_seen = first in self._seen
        self._seen[first] = None
        if len(self._seen) > _KNOWN_RECORDS:
            self._seen.popitem(last=False)
        return was_seen

    async def _work(self, key: tuple[str, str]) -> None:
        """Until nobody waits for this session."""
        waiting = self._waiting[key]
        try:
            while waiting:
                items = _take(waiting)
                if items:
                    await self._together(key, items)
        finally:
            del self._waiting[key]

    async def _together(self, key: tuple[str, str], items: Sequence[_Item]) -> None:
        with self._client.until(max(item.deadline for item in items)):
            try:
                results = await self._store.again(_Batch(self._store, self._notifier, key, items).run)
            except Exception as error:
                results = [error] * len(items)
        for item, result in zip(items, results, strict=True):
            if item.result.done():
                continue
            if isinstance(result, BaseException):
                item.result.set_exception(result)
            else:
                item.result.set_result(result)


def _take(waiting: deque[_Item]) -> list[_Item]:
    items: list[_Item] = []
    characters = 0
    while waiting and len(items) < _MOST_APPENDS:
        characters += sum(len(message.payload) for message in waiting[0].append.messages)
        if items and characters > _MOST_CHARACTERS:
            break
        item = waiting.popleft()
        if not item.result.done():  # its caller has not given up
            item.is_taken = True
            items.append(item)
    return items


class _Batch:
    """Some appends to one session, and one try after the other to commit them."""

    def __init__(self, store: Store, notifier: SessionNotifier, key: tuple[str, str], items: Sequence[_Item]) -> None:
        self._store = store
        self._notifier = notifier
        self._key = key
        self._items = items
        self._ids = list(
            dict.fromkeys(draft.id for item in items if item.may_be_stored for draft in item.append.messages)
        )

    async def run(self) -> list[AppendedRecord | PersistenceError]:
        """Raises `Lost`."""
        tenant, session_id = self._key
        loaded, pointers = await self._store.load(Scope(tenant), session_id, self._ids, without=_WITHOUT)
        now = self._store.now()
        if loaded is not None and not loaded.session.is_dead and loaded.session.is_expired(_with_margin(now)):
            loaded = await self._store.bury(loaded)
        living = None if loaded is None or loaded.session.is_dead else loaded
        stored = await self._stored(living, pointers)
        results, after = await self._compute(living, loaded, stored, now)
        if after is not None:
            await self._commit(loaded, living, after)
        elif living is not None and stored:
            await self._store.move(living.session)  # of a call that was killed before it came to this
        return results

    async def _stored(self, living: Loaded | None, pointers: Mapping[str, Pointed]) -> dict[str, Message]:
        """By id: messages that the session holds."""
        if living is None:
            return {}
        session = living.session
        stored = {message.id: message for message in session.pending}
        seqs = sorted(
            pointed.seq
            for message_id, pointed in pointers.items()
            if message_id not in stored and pointed.life == session.life and log.contains(session.log, pointed.seq)
        )
        found = await self._store.messages(living, seqs) if seqs else []
        return stored | {message.id: message for message in found if message.id in pointers}

    async def _compute(
        self, living: Loaded | None, loaded: Loaded | None, stored: Mapping[str, Message], now: datetime
    ) -> tuple[list[AppendedRecord | PersistenceError], Session | None]:
        """The results, and the session after all of them; None if nothing changes."""
        by_seq: dict[int, Message] = {}
        while True:
            steps = _Steps(None if living is None else living.session, stored, by_seq, now, new_life(loaded))
            try:
                results = [steps.result(item) for item in self._items]
            except _Needs as need:
                if living is None:
                    raise
                (by_seq[need.seq],) = await self._store.messages(living, [need.seq])
                continue
            return results, steps.session if steps.is_changed else None

    async def _commit(self, loaded: Loaded | None, living: Loaded | None, after: Session) -> None:
        if living is None:
            if loaded is not None:
                await self._store.erase_all(loaded.session)
            committed = await self._store.put(loaded, after)
        else:
            if after.is_dirty or self._store.has_many_pending(living.session):
                await self._store.move(living.session, done=False)
            committed = await self._store.commit(living, after)
        self._notifier.notify(self._key)
        await self._store.move(committed.session)
        if committed.session.cuts or committed.session.is_dirty:
            await self._store.finish(committed, () if living is None else living.session.pending)


def _with_margin(now: datetime) -> datetime:
    return now + (moment_of(_MARGIN_MICROS) - moment_of(0))


class _Steps:
    """The steps that `records.Append` states, for one append after the other. Nothing here waits."""

    def __init__(
        self,
        session: Session | None,
        stored: Mapping[str, Message],
        by_seq: Mapping[int, Message],
        now: datetime,
        life: int,
    ) -> None:
        self.session = session
        self.is_changed = False
        self._known = dict(stored)
        self._by_seq = dict(by_seq)
        self._now = now
        self._life = life
        if session is not None:
            self._by_seq |= {message.seq: message for message in session.pending}

    def result(self, item: _Item) -> AppendedRecord | PersistenceError:
        try:
            return self._append(item.scope, item.append)
        except PersistenceError as error:
            return error

    def _append(self, scope: Scope, append: Append) -> AppendedRecord:
        session, is_new = self._session_for(scope, append)
        stored = self._stored_already(session, append)
        if append.messages and len(stored) == len(append.messages):
            return _repeated(stored, append)
        record = session.record
        version, last_seq = (0, 0) if is_new else (record.version, record.last_seq)
        if append.expected_version not in (None, version):
            raise version_conflict(append.expected_version or 0, version)
        if append.expected_last_seq not in (None, last_seq):
            raise last_seq_conflict(append.expected_last_seq or 0, last_seq)
        if append.add is not None:
            record = replace(record, counters=added(record.counters, append.add))
        return self._write(replace(session, record=record), append, stored)

    def _session_for(self, scope: Scope, append: Append) -> tuple[Session, bool]:
        session = self.session
        if session is None:
            if append.create is None:
                raise SessionNotFound(append.session_id)
            return begun(scope, new_session(append.create, self._now), append.create.labels, self._life), True
        if append.create is not None:
            check_owner(scope, append.create, session.record.user_id)
        check_visible(scope, append.session_id, session.record.user_id)
        return session, False

    def _stored_already(self, session: Session, append: Append) -> list[Message]:
        found = [self._known[draft.id] for draft in append.messages if draft.id in self._known]
        stored = [message for message in found if log.contains(session.log, message.seq)]
        if append.stored == "skip":
            return stored
        if stored and len(stored) < len(append.messages):
            raise batch_conflict(len(stored), len(append.messages))
        for message, draft in zip(stored, append.messages, strict=False):
            if message.content_key != draft.content_key:
                raise message_id_conflict(draft.id)
        return stored

    def _write(self, session: Session, append: Append, stored: Sequence[Message]) -> AppendedRecord:
        known = {message.id for message in stored}
        drafts = [draft for draft in append.messages if draft.id not in known]
        kept = session.log if append.truncate_after is None else log.clip(session.log, 0, append.truncate_after)
        version = session.record.version + (append.changes is not None)
        first = session.record.last_seq + 1
        new = [message_of(draft, seq=seq, version=version, now=self._now) for seq, draft in enumerate(drafts, first)]
        grown = log.extended(kept, first, len(new))
        final = grown if append.keep_last is None else log.kept(grown, append.keep_last)
        by_seq = self._by_seq | {message.seq: message for message in new}
        record = changed_record(session, append, final, self._now, last_seq=first - 1 + len(new), by_seq=by_seq)
        labels = session.labels
        if append.changes is not None and "labels" in append.changes:
            labels = append.changes["labels"]
        removed = (*log.without(session.log, kept), *log.without(grown, final))
        self.session = replace(
            session,
            record=record,
            labels=labels,
            log=final,
            pending=tuple(each for each in (*session.pending, *new) if log.contains(final, each.seq)),
            cuts=log.of_seqs(sorted({*log.seqs(session.cuts), *log.seqs(removed)})),
            is_dirty=session.is_dirty or changes_owner(session.record, record),
        )
        self.is_changed = True
        self._by_seq = by_seq
        self._known |= {message.id: message for message in new}
        by_id = {message.id: message for message in (*stored, *new)}
        records = [by_id[draft.id].record() for draft in append.messages]
        return AppendedRecord(records, record.version, record.last_seq, len(new))


def changed_record(
    session: Session, append: Append, final: log.Log, now: datetime, *, last_seq: int, by_seq: Mapping[int, Message]
) -> SessionRecord:
    """The session's record after an append (CNT-1, SES-2, TTL-3)."""
    moment = max(now, session.record.updated_at)
    record = replace(
        session.record,
        updated_at=moment,
        message_count=log.count(final),
        last_message_at=last_message_at(session, final, by_seq),
        last_seq=last_seq,
    )
    if append.changes is not None:
        fields = changed_fields(record, append.changes, moment)
        record = replace(record, **fields, version=record.version + 1)
    return replace(record, expires_at=expiry(record.ends_at, record.idle_ttl, moment))


def last_message_at(session: Session, final: log.Log, by_seq: Mapping[int, Message]) -> datetime | None:
    if not final:
        return None
    newest = final[-1][1]
    if newest in by_seq:
        return moment_of(by_seq[newest].created_at)
    if session.log and session.log[-1][1] == newest:
        return session.record.last_message_at
    raise _Needs(newest)


def changes_owner(before: SessionRecord, after: SessionRecord) -> bool:
    return (before.user_id, before.agent_name) != (after.user_id, after.agent_name)


def begun(scope: Scope, record: SessionRecord, labels: Iterable[str], life: int) -> Session:
    """A new session without messages."""
    return Session(
        tenant=scope.tenant,
        key=session_key(scope.tenant, record.id),
        record=record,
        labels=tuple(labels),
        life=life,
        log=(),
        pending=(),
        tokens=(),
        cuts=(),
        is_dirty=False,
    )


def _repeated(stored: Sequence[Message], append: Append) -> AppendedRecord:
    newest = max(stored, key=lambda message: message.seq)
    by_id = {message.id: message for message in stored}
    return AppendedRecord([by_id[draft.id].record() for draft in append.messages], newest.version, newest.seq, 0)
