"""Appends to one session share a commit: those of this process that wait at the same time are computed in turn, and
their results land together. An append's own errors are its own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agentkeep.errors import OutcomeUnknown, PersistenceError, Unavailable
from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep.spi.together import Ticket

from agentkeep_opensearch.client import GRACE_SECONDS, Client
from agentkeep_opensearch.commit import Store
from agentkeep_opensearch.documents import Loaded, Message, Session
from agentkeep_opensearch.erasing import erase_all, finish
from agentkeep_opensearch.extending import MARGIN, commit
from agentkeep_opensearch.heads import are_new
from agentkeep_opensearch.notify import SessionNotifier
from agentkeep_opensearch.pointers import Pointed
from agentkeep_opensearch.statements import session_key
from agentkeep_opensearch.steps import Needs, Steps, new_life

_WITHOUT = ("state", "metadata", "labels")
_MOST_APPENDS = 64
_MOST_CHARACTERS = 4 * 1024 * 1024
_BYTES_A_CHARACTER = 8
_CHARACTERS_A_MESSAGE = 300
"""At most, of what stands beside a message's texts. All this is of one commit, if it has more than one append: none may
make it too long for the others."""


@dataclass(eq=False)
class _Item:
    scope: Scope
    append: Append
    deadline: float
    ticket: Ticket[AppendedRecord]


class Appender:
    def __init__(self, client: Client, store: Store, notifier: SessionNotifier) -> None:
        self._client = client
        self._store = store
        self._notifier = notifier
        self._waiting: dict[tuple[str, str], deque[_Item]] = {}

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        loop = asyncio.get_running_loop()
        item = _Item(scope, append, self._client.deadline, Ticket(seconds=GRACE_SECONDS))
        key = (scope.tenant, append.session_id)
        if key in self._waiting:
            self._waiting[key].append(item)
        else:
            self._waiting[key] = deque([item])
            self._client.spawn(self._work(key))
        timer = loop.call_at(item.deadline, self._give_up, item)
        try:
            return await item.ticket.answer()
        finally:
            timer.cancel()

    def _give_up(self, item: _Item) -> None:
        """There is no time left for this append (FLT-5)."""
        if item.ticket.take():
            error: PersistenceError = Unavailable(f"{self._client.server}: other appends to this session took too long")
        else:
            error = OutcomeUnknown(f"{self._client.server}: no answer in time (option timeout)")
        error.__cause__ = TimeoutError()
        item.ticket.end(error=error)

    async def _work(self, key: tuple[str, str]) -> None:
        """Until nobody waits for this session."""
        waiting = self._waiting[key]
        try:
            while waiting:
                items = _take(waiting, min(_MOST_CHARACTERS, self._client.longest_body // _BYTES_A_CHARACTER))
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
            if isinstance(result, BaseException):
                item.ticket.end(error=result)
            else:
                item.ticket.end(result)


def _take(waiting: deque[_Item], most: int) -> list[_Item]:
    items: list[_Item] = []
    characters = 0
    while waiting and len(items) < _MOST_APPENDS:
        characters += sum(
            len(message.payload) + len(message.search_text) + _CHARACTERS_A_MESSAGE
            for message in waiting[0].append.messages
        )
        if items and characters > most:
            break
        item = waiting.popleft()
        if item.ticket.take():  # its caller has not given up
            items.append(item)
    return items


class _Batch:
    """Some appends to one session, and one try after the other to commit them."""

    def __init__(self, store: Store, notifier: SessionNotifier, key: tuple[str, str], items: Sequence[_Item]) -> None:
        self._store = store
        self._notifier = notifier
        self._key = key
        self._items = items
        # Also ids that core chose: another process may have sent the same record before (IDEM-2). The request that
        # reads the session asks for them too.
        self._ids = list(dict.fromkeys(draft.id for item in items for draft in item.append.messages))

    async def run(self) -> list[AppendedRecord | PersistenceError]:
        """Raises `Lost`."""
        return await self._without_reading() or await self._after_reading()

    async def _without_reading(self) -> list[AppendedRecord | PersistenceError] | None:
        """On top of the last commit of this process. None if that can't be, or if it would be an error.

        The session may be another one by now. If it is, the commit is lost; an error would be told.
        """
        head, now = self._store.heads.take(session_key(*self._key)), self._store.now()
        if head is None or not are_new(self._ids, head.session.newest_id) or head.session.is_expired(now + MARGIN):
            return None
        steps = Steps(head.session, {}, {}, now, head.session.life)
        try:
            results = [steps.result(item.scope, item.append) for item in self._items]
        except Needs:
            return None
        if steps.session is None or any(isinstance(each, PersistenceError) for each in results):
            return None
        await self._commit(head, head, steps.session)
        return results

    async def _after_reading(self) -> list[AppendedRecord | PersistenceError]:
        tenant, session_id = self._key
        loaded, pointers = await self._store.load(Scope(tenant), session_id, self._ids, without=_WITHOUT)
        now = self._store.now()
        if loaded is not None and not loaded.session.is_dead and loaded.session.is_expired(now + MARGIN):
            loaded = await self._store.let_expire(loaded)
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
            if message_id not in stored and pointed.is_in(session)
        )
        found = await self._store.messages(living, seqs) if seqs else []
        return stored | {message.id: message for message in found if message.id in pointers}

    async def _compute(
        self, living: Loaded | None, loaded: Loaded | None, stored: Mapping[str, Message], now: datetime
    ) -> tuple[list[AppendedRecord | PersistenceError], Session | None]:
        """The results, and the session after all of them; None if nothing changes."""
        by_seq: dict[int, Message] = {}
        while True:
            steps = Steps(None if living is None else living.session, stored, by_seq, now, new_life(loaded))
            try:
                results = [steps.result(item.scope, item.append) for item in self._items]
            except Needs as need:
                if living is None:
                    raise
                (by_seq[need.seq],) = await self._store.messages(living, [need.seq])
                continue
            return results, steps.session if steps.is_changed else None

    async def _commit(self, loaded: Loaded | None, living: Loaded | None, after: Session) -> None:
        if living is None:
            if loaded is not None:
                # it may be a copy that is being written: from this commit on it can't come alive
                loaded = await self._store.bury(loaded)
                await erase_all(self._store, loaded.session)
            committed = await self._store.put(loaded, after)
        else:
            if after.is_dirty or self._store.has_many_pending(living.session):
                await self._store.move(living.session, done=False)
            committed = await commit(self._store, living, after)
        self._notifier.notify(self._key)
        await self._store.move(committed.session)
        if committed.session.cuts or committed.session.is_dirty:
            await finish(self._store, committed, () if living is None else living.session.pending)
        else:
            self._store.heads.keep(committed)
