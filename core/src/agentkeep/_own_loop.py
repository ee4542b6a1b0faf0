"""An adapter that runs on an event loop of its own, for callers in any loop or thread (LIFE-3)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

from agentkeep._loops import END, Loop, next_row
from agentkeep.capabilities import Capabilities
from agentkeep.errors import Closed
from agentkeep.models import Health
from agentkeep.protocol import MessageRepository, PersistenceAdapter, SessionRepository, SupportsWatch
from agentkeep.records import MessageRecord, Scope

Row = TypeVar("Row")


class OnLoop:
    """Runs each call of the adapter `inner` on one loop, and waits for it in the caller's.

    It is no `Wrapper`, which has a method for each verb: here one `__getattr__` does the same for all of them.
    """

    def __init__(self, inner: PersistenceAdapter, loop: Loop) -> None:
        self.inner: PersistenceAdapter = inner
        self._loop = loop
        self.sessions: SessionRepository = cast("SessionRepository", _Verbs(lambda: inner.sessions, loop))
        self.messages: MessageRepository = cast("MessageRepository", _Messages(lambda: inner.messages, loop))

    def __repr__(self) -> str:
        return repr(self.inner)

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    async def open(self) -> None:
        await self._loop.arun(self.inner.open())

    async def close(self) -> None:
        await self._loop.arun(self.inner.close())

    async def health(self) -> Health:
        return await self._loop.arun(self.inner.health())

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        return await self._loop.arun(self.inner.sweep(scope, limit=limit))


class _Verbs:
    """The coroutines of a repository, each run on the loop."""

    def __init__(self, repository: Callable[[], object], loop: Loop) -> None:
        self._repository = repository
        self._loop = loop

    def __getattr__(self, verb: str) -> Any:
        method = getattr(self._repository(), verb)

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await self._loop.arun(method(*args, **kwargs))

        return call


class _Messages(_Verbs):
    """`watch` is the one verb that is no coroutine."""

    def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncGenerator[MessageRecord, None]:
        repository = cast("SupportsWatch", self._repository())
        rows = repository.watch(scope, session_id, after_seq=after_seq)
        return walk(self._loop, cast("AsyncGenerator[MessageRecord, None]", rows))


async def walk(loop: Loop, rows: AsyncGenerator[Row, None]) -> AsyncGenerator[Row, None]:
    """A generator's rows, each of which is waited for on the loop."""
    try:
        while (row := await loop.arun(next_row(rows))) is not END:
            yield row
    finally:
        with suppress(Closed):  # a keep that was closed meanwhile has ended this walk with it
            await loop.arun(_close(rows), is_cancellable=False)


async def _close(rows: AsyncGenerator[Any, None]) -> None:
    await rows.aclose()
