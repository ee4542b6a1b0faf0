"""The messages of a MongoDB database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress

import msgspec
from agentkeep.errors import MessageNotFound, OutcomeUnknown, PersistenceError
from agentkeep.records import (
    Append,
    AppendedRecord,
    HitRecord,
    MessageDraft,
    MessageRange,
    MessageRecord,
    Scope,
    SearchQuery,
    SessionRecord,
)
from agentkeep.spi.notify import Notifier
from bson import Int64, ObjectId

from agentkeep_mongo.appending import Appending
from agentkeep_mongo.client import Client
from agentkeep_mongo.commit import Change, Commits, without_movers
from agentkeep_mongo.documents import Life, batch_entry, content_of, session_key, size_of, time_of
from agentkeep_mongo.joining import Joining
from agentkeep_mongo.log import Log, logged
from agentkeep_mongo.moving import MAX_PENDING_BYTES, STAGE_ABOVE_BYTES, Mover
from agentkeep_mongo.reading import Reading
from agentkeep_mongo.replacing import replaced_in
from agentkeep_mongo.search import search
from agentkeep_mongo.state import Raced, State, Stored
from agentkeep_mongo.watch import watch_session


class MongoMessages:
    def __init__(self, client: Client, commits: Commits, mover: Mover, reading: Reading, notifier: Notifier) -> None:
        self._client = client
        self._commits = commits
        self._mover = mover
        self._reading = reading
        self._notifier = notifier
        self._joining = Joining(client, Appending(client, commits, mover, reading))

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        result = await self._joining.append(scope, append)
        self._notifier.notify((scope.tenant, append.session_id))
        return result

    async def replace(
        self, scope: Scope, session_id: str, message: MessageDraft, *, expected: str
    ) -> MessageRecord | None:
        async with self._client.call():
            if not await self._replace(scope, session_id, message, expected):
                return None
            found = await self._reading.by_ids(scope, session_id, [message.id])
        if not found:
            raise MessageNotFound(session_id, message.id)
        return found[0]

    async def _replace(self, scope: Scope, session_id: str, message: MessageDraft, expected: str) -> bool:
        """False: the message is not what was expected."""
        size = size_of([message])
        staged = Life(session_key(scope.tenant, session_id), ObjectId()) if size > STAGE_ABOVE_BYTES else None
        is_staged = False

        async def attempt(state: State | None) -> bool | None:
            nonlocal is_staged
            state = self._commits.living(scope, session_id, state)
            stored = state.stored()
            if not stored:
                raise MessageNotFound(session_id, message.id)
            if stored[0].key != expected:
                return False
            is_pending = bool(state.document["pending_hits"])
            if is_pending and (staged is not None or state.document["pending_bytes"] + size > MAX_PENDING_BYTES):
                await self._mover.move(state.life)  # there is no room for it in the session's document
                return None
            if staged is not None and not is_staged:
                is_staged = True
                await self._mover.stage_entries(staged, scope, [batch_entry(message)])
            change = (
                _replaced_pending(state, message, size) if is_pending else _edited(state, stored[0], message, staged)
            )
            return True if await self._commits.update(state, change) is True else None

        replaced = False
        try:
            replaced = await self._commits.change(scope, session_id, attempt, ids=[message.id])
        except OutcomeUnknown:
            is_staged = False  # it may be admitted: a sweep looks
            raise
        finally:
            if staged is not None and is_staged and not replaced:
                with suppress(PersistenceError):
                    await self._mover.unstage(staged)
        return replaced

    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> Sequence[MessageRecord]:
        async with self._client.call():
            return (await self._reading.window(scope, session_id, window)).messages

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        async with self._client.call():
            found = await self._reading.by_ids(scope, session_id, [message_id])
        if not found:
            raise MessageNotFound(session_id, message_id)
        return found[0]

    async def get_many(self, scope: Scope, session_id: str, message_ids: Sequence[str]) -> Sequence[MessageRecord]:
        async with self._client.call():
            return await self._reading.by_ids(scope, session_id, message_ids)

    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        async with self._client.call():
            return await self._cut(scope, session_id, lambda log: log.truncate(after_seq))

    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        async with self._client.call():
            return await self._cut(scope, session_id, lambda log: log.keep_last(keep_last))

    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        newest: list[MessageRecord] = []

        async def cut(log: Log) -> int:
            wanted = MessageRange(limit=1, newest_first=True)
            newest[:] = (await self._reading.window(scope, session_id, wanted, latest=True)).messages
            removed = await log.truncate(newest[0].seq - 1) if newest else 0
            if removed != min(1, len(newest)):
                raise Raced
            return removed

        async with self._client.call():
            return newest[0] if await self._cut(scope, session_id, cut) else None

    async def _cut(self, scope: Scope, session_id: str, cut: Callable[[Log], Awaitable[int]]) -> int:
        """Returns how many messages went. Raises `SessionNotFound`."""

        async def attempt(state: State | None) -> int | None:
            state = self._commits.living(scope, session_id, state)
            log = Log(self._client, state)
            removed = await cut(log)
            record = await logged(state.record, log, state.moment)
            change = Change(record, log.fields(), log.expressions(), log.doomed)
            return removed if await self._commits.update(state, change) else None

        return await self._commits.change(scope, session_id, attempt)

    async def search(self, scope: Scope, query: SearchQuery) -> Sequence[HitRecord]:
        async with self._client.call():
            return await search(self._client, self._mover, scope, query)

    def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        return watch_session(self._client, self._reading, self._notifier, scope, session_id, after_seq)


def _replaced_pending(state: State, message: MessageDraft, size: int) -> Change:
    """A message that stands in the session's document gets another content there."""
    batches = replaced_in("$batches", message.id, content_of(message), size)
    expressions = {"batches": batches, "pending_bytes": {"$add": ["$pending_bytes", size]}}
    change = Change(_touched(state), {"cuts": state.document["cuts"] + 1}, expressions)
    return change if not state.reach else without_movers(state, change)  # they have its former content


def _edited(state: State, stored: Stored, message: MessageDraft, staged: Life | None) -> Change:
    """The session's document says what a moved message is now, or where that is staged."""
    new = content_of(message) if staged is None else {"staged": staged.id}
    edit = {"q": Int64(stored.seq), "n": Int64(state.writes + 1), **new}
    return Change(_touched(state), {"cuts": state.document["cuts"] + 1, "edits": [edit], "unsettled": 1}, {})


def _touched(state: State) -> SessionRecord:
    return msgspec.structs.replace(state.record, updated_at=time_of(state.moment))
