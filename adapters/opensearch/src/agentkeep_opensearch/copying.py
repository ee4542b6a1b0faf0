"""Forks and restored sessions: a new session with a whole log. A long log is written before the session appears."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from agentkeep.records import Fork, RestoredMessage, Scope, SessionRecord
from agentkeep.spi.outcomes import forked_at, forked_session
from msgspec.structs import replace

from agentkeep_opensearch import log
from agentkeep_opensearch.commit import Lost, Store
from agentkeep_opensearch.documents import Loaded, Message, Session, micros, moment_of, restored
from agentkeep_opensearch.erasing import erase, erase_all
from agentkeep_opensearch.heads import newest_id
from agentkeep_opensearch.steps import begun, new_life

_SLICE = 200
_SMALL = 64
_SMALL_CHARACTERS = 256 * 1024
_HELD_MICROS = 60_000_000
"""So long a sweep leaves a session alone that is being written."""


class Copier:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def fork(self, scope: Scope, fork: Fork, parent: Loaded, dead: Loaded | None) -> SessionRecord:
        """Raises `Lost` if the parent's messages were removed meanwhile, or the new id was taken."""
        source = parent.session
        kept = log.clip(source.log, 0, forked_at(fork, source.record.last_seq))
        now = self._store.now()
        labels = (fork.changes or {}).get("labels", source.labels)

        def copy_of(last: Message | None) -> Session:
            last_at = None if last is None else moment_of(last.created_at)
            record = forked_session(source.record, fork, now, count=log.count(kept), last_message_at=last_at)
            new = begun(scope, record, labels or (), new_life(dead))
            return replace(new, log=kept, newest_id=source.newest_id)

        newest = await self._store.messages(parent, [kept[-1][1]]) if kept else []
        copy = copy_of(newest[0] if newest else None)
        seqs = list(log.seqs(kept))
        slices = [seqs[start : start + _SLICE] for start in range(0, len(seqs), _SLICE)]
        first = [] if not slices else await self._read(parent, slices[0], fork.version)
        await self._put(copy, first, dead, self._rest(parent, slices[1:], fork.version))
        return copy.record

    async def _read(self, parent: Loaded, seqs: Sequence[int], version: int) -> list[Message]:
        messages = await self._store.messages(parent, seqs)
        return [replace(message, version=version) for message in messages]

    async def _rest(
        self, parent: Loaded, slices: Sequence[Sequence[int]], version: int
    ) -> AsyncIterator[Sequence[Message]]:
        for seqs in slices:
            yield await self._read(parent, seqs, version)

    async def restore(
        self,
        scope: Scope,
        record: SessionRecord,
        labels: tuple[str, ...],
        messages: Sequence[RestoredMessage],
        dead: Loaded | None,
    ) -> None:
        stored = restored(messages, record.version, self._store.now())
        new = begun(scope, record, labels, new_life(dead))
        newest = newest_id("", (message.id for message in stored))
        session = replace(new, log=log.of_seqs(message.seq for message in stored), newest_id=newest)
        slices = [stored[start : start + _SLICE] for start in range(0, len(stored), _SLICE)]

        async def rest() -> AsyncIterator[Sequence[Message]]:
            for part in slices[1:]:
                yield part

        await self._put(session, slices[0] if slices else [], dead, rest())

    async def _put(
        self, session: Session, first: list[Message], dead: Loaded | None, rest: AsyncIterator[Sequence[Message]]
    ) -> None:
        if dead is not None:
            await erase_all(self._store, dead.session)
        is_small = len(first) <= _SMALL and sum(len(message.payload) for message in first) <= _SMALL_CHARACTERS
        if is_small and log.count(session.log) == len(first):
            committed = await self._store.put(dead, replace(session, pending=tuple(first)))
            await self._store.move(committed.session)
            return
        held = micros(self._store.now()) + _HELD_MICROS
        hidden = await self._store.put(dead, replace(session, is_dead=True), held_until=held)
        ids = {message.seq: message.id for message in first}
        try:
            await self._store.index(hidden.session, first)
            async for part in rest:
                ids |= {message.seq: message.id for message in part}
                await self._store.index(hidden.session, part)
            await self._store.commit(hidden, replace(hidden.session, is_dead=False))
        except Lost:
            # who took its place could not remove what was written after that
            await erase(self._store, hidden.session, log.of_seqs(ids), ids)
            raise
