"""The messages of an OpenSearch cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

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
from agentkeep.spi.watch import watch
from msgspec.structs import replace

from agentkeep_opensearch import log
from agentkeep_opensearch.appending import Appender
from agentkeep_opensearch.client import Client
from agentkeep_opensearch.commit import Lost, Store
from agentkeep_opensearch.documents import Loaded, Message, Session, moment_of
from agentkeep_opensearch.erasing import finish
from agentkeep_opensearch.log import Log
from agentkeep_opensearch.notify import SessionNotifier
from agentkeep_opensearch.replacing import Replacer
from agentkeep_opensearch.search import Search

_ALL_BUT_LOG = ("pending", "state", "metadata", "labels")
_WITH_PENDING = ("state", "metadata", "labels")


class OpenSearchMessages:
    def __init__(self, client: Client, store: Store, search: Search, notifier: SessionNotifier) -> None:
        self._client = client
        self._store = store
        self._search = search
        self._notifier = notifier
        self._appender = Appender(client, store, notifier)
        self._replacer = Replacer(client, store)

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        with self._client.call():
            return await self._appender.append(scope, append)

    async def replace(
        self, scope: Scope, session_id: str, message: MessageDraft, *, expected: str
    ) -> MessageRecord | None:
        with self._client.call():
            return await self._store.again(lambda: self._replacer.replace(scope, session_id, message, expected))

    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> Sequence[MessageRecord]:
        with self._client.call():
            return (await self._window(scope, session_id, window))[1]

    async def _window(
        self, scope: Scope, session_id: str, window: MessageRange
    ) -> tuple[Loaded, Sequence[MessageRecord]]:
        async def attempt() -> tuple[Loaded, Sequence[MessageRecord]]:
            loaded = await self._store.get(scope, session_id, without=_ALL_BUT_LOG)
            found = await self._store.messages(loaded, log.window(loaded.session.log, window))
            return loaded, [message.record() for message in found]

        return await self._store.again(attempt)

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        found = await self.get_many(scope, session_id, [message_id])
        if not found:
            raise MessageNotFound(session_id, message_id)
        return found[0]

    async def get_many(self, scope: Scope, session_id: str, message_ids: Sequence[str]) -> Sequence[MessageRecord]:
        with self._client.call():
            return await self._store.again(lambda: self._get_many(scope, session_id, message_ids))

    async def _get_many(self, scope: Scope, session_id: str, message_ids: Sequence[str]) -> Sequence[MessageRecord]:
        found, pointers = await self._store.load(scope, session_id, message_ids, without=_ALL_BUT_LOG)
        loaded = await self._store.living(scope, found, session_id)
        session = loaded.session
        seqs = {message_id: pointed.seq for message_id, pointed in pointers.items() if pointed.is_in(session)}
        wanted = set(message_ids)
        missing = sorted(wanted.difference(seqs))
        read: dict[int, Message] = {}
        all_moved = True
        if missing and session.log:  # an append may have landed since, or may be landing
            read, pointers, all_moved = await self._store.read_and_probe(session, list(seqs.values()), missing)
            seqs |= {message_id: pointed.seq for message_id, pointed in pointers.items() if pointed.is_in(session)}
        if len(read) < len(seqs):
            read = {each.seq: each for each in await self._store.messages(loaded, list(seqs.values()))}
        messages = read.values()
        by_id = {message.id: message for message in messages if message.id in wanted}
        if not all_moved:  # a writer is at work, or was killed
            now = await self._store.get(scope, session_id, without=_WITH_PENDING)
            if now.seq_no != loaded.seq_no:
                raise Lost
            by_id |= {each.id: each for each in now.session.pending if each.id in wanted and each.id not in by_id}
        return [message.record() for message in by_id.values()]

    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        return await self._cut(scope, session_id, lambda session: log.clip(session.log, 0, after_seq))

    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        def kept(session: Session) -> Log:
            return log.trimmed(session.log, session.record.message_count - keep_last)

        return await self._cut(scope, session_id, kept)

    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        async def attempt() -> MessageRecord | None:
            loaded = await self._store.get(scope, session_id, without=_WITH_PENDING)
            newest = log.newest(loaded.session.log, 1)
            if not newest:
                await self._commit_cut(loaded, loaded.session.log)
                return None
            (message,) = await self._store.messages(loaded, newest)
            await self._commit_cut(loaded, log.clip(loaded.session.log, 0, newest[0] - 1))
            self._notifier.notify((scope.tenant, session_id))
            return message.record()

        with self._client.call():
            return await self._store.again(attempt)

    async def _cut(self, scope: Scope, session_id: str, keep: Callable[[Session], Log]) -> int:
        async def attempt() -> int:
            loaded = await self._store.get(scope, session_id, without=_WITH_PENDING)
            removed = await self._commit_cut(loaded, keep(loaded.session))
            self._notifier.notify((scope.tenant, session_id))
            return removed

        with self._client.call():
            return await self._store.again(attempt)

    async def _commit_cut(self, loaded: Loaded, kept: Log) -> int:
        """How many messages were removed."""
        session = loaded.session
        removed = log.outside(session.log, kept)
        amount = log.count(removed)
        record = replace(
            session.record,
            updated_at=max(self._store.now(), session.record.updated_at),
            message_count=session.record.message_count - amount,
            last_message_at=await self._last_message_at(loaded, kept),
        )
        after = replace(
            session,
            record=record,
            log=kept,
            pending=tuple(each for each in session.pending if log.contains(kept, each.seq)),
            cuts=log.union(session.cuts, removed),
        )
        committed = await self._store.commit(loaded, after)
        if removed:
            # the removed ones' ids stand in the document as it was before
            await finish(self._store, committed, session.pending)
        return amount

    async def _last_message_at(self, loaded: Loaded, kept: Log) -> datetime | None:
        session = loaded.session
        if not kept:
            return None
        if session.log[-1][1] == kept[-1][1]:
            return session.record.last_message_at
        (newest,) = await self._store.messages(loaded, [kept[-1][1]])
        return moment_of(newest.created_at)

    async def search(self, scope: Scope, query: SearchQuery) -> Sequence[HitRecord]:
        with self._client.call():
            return await self._store.again(lambda: self._search.hits(scope, query))

    def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        async def read(window: MessageRange) -> tuple[int, Sequence[MessageRecord]]:
            with self._client.call():
                loaded, records = await self._window(scope, session_id, window)
                return loaded.session.life, records

        return watch(self._notifier.notifier, scope, session_id, read, after_seq=after_seq)
