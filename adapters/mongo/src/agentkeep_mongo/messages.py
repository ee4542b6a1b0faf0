"""The messages of a MongoDB database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import msgspec
from agentkeep.errors import MessageNotFound
from agentkeep.records import (
    Append,
    AppendedRecord,
    HitRecord,
    MessageDraft,
    MessageRange,
    MessageRecord,
    Scope,
    SearchQuery,
)
from agentkeep.spi.notify import Notifier
from bson import Int64

from agentkeep_mongo.appending import Appending
from agentkeep_mongo.client import Client
from agentkeep_mongo.commit import Change, Commits
from agentkeep_mongo.documents import time_of
from agentkeep_mongo.joining import Joining
from agentkeep_mongo.log import Log, logged
from agentkeep_mongo.moving import Mover
from agentkeep_mongo.reading import Reading
from agentkeep_mongo.replacing import replaced_in
from agentkeep_mongo.search import search
from agentkeep_mongo.state import Raced, State
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
            replaced = await self._commits.change(
                scope,
                session_id,
                lambda state: self._replace(self._commits.living(scope, session_id, state), message, expected),
                ids=[message.id],
            )
            if not replaced:
                return None
            found = await self._reading.by_ids(scope, session_id, [message.id])
        if not found:
            raise MessageNotFound(session_id, message.id)
        return found[0]

    async def _replace(self, state: State, message: MessageDraft, expected: str) -> bool | None:
        """None: somebody else wrote first."""
        stored = state.stored()
        if not stored:
            raise MessageNotFound(state.record.id, message.id)
        if stored[0].key != expected:
            return False
        new = {
            "role": message.role,
            "payload": message.payload,
            "key": message.content_key,
            "text": message.search_text,
        }
        record = msgspec.structs.replace(state.record, updated_at=time_of(state.moment))
        cuts = state.document["cuts"] + 1
        if state.document["pending_hits"]:
            change = Change(record, {"cuts": cuts}, {"batches": replaced_in("$batches", message.id, new)})
        else:
            edit = {"q": Int64(stored[0].seq), "n": Int64(state.writes + 1), **new}
            change = Change(record, {"cuts": cuts, "edits": [edit], "unsettled": 1}, {})
        if await self._commits.update(state, change) is not True:
            return None
        return True

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
