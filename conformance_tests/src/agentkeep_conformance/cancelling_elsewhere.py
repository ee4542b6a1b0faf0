"""Cancelling a call from one event loop at one exact await of its verbs, which run on another."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from inspect import iscoroutinefunction
from typing import Any, cast

from agentkeep import MessageRepository, PersistenceAdapter, SessionRepository
from agentkeep.wrappers import Wrapper

from agentkeep_conformance.cancelling import Stepping, ends_cancelled
from agentkeep_conformance.samples import PATIENCE_SECONDS

_TURNS = 5
"""Turns of the caller's loop after which it has passed a cancellation on: two are needed."""


class CutWithin(Wrapper):
    """Has a caller cancelled when a verb of its call waits, counted on the loop that runs the verbs.

    The thread of that loop stops until the caller has passed its cancellation on. So the cancellation arrives between
    two steps of the verb, however fast either thread is.
    """

    def __init__(self, inner: PersistenceAdapter) -> None:
        super().__init__(inner)
        self.awaits = 0
        self._at = 0
        self._caller: asyncio.Task[Any] | None = None
        self._callers_loop: asyncio.AbstractEventLoop | None = None

    @property
    def sessions(self) -> SessionRepository:
        return cast("SessionRepository", _Stepped(self, SessionRepository, self.inner.sessions))

    @property
    def messages(self) -> MessageRepository:
        return cast("MessageRepository", _Stepped(self, MessageRepository, self.inner.messages))

    async def run(self, call: Coroutine[Any, Any, Any], *, at: int = 0) -> None:
        """Run a call in a task of its own, and cancel it at await number `at` of its verbs, from 1; 0 cancels nothing.

        `awaits` then says how many there were.
        """
        self._callers_loop = asyncio.get_running_loop()
        self.awaits, self._at = 0, at
        self._caller = asyncio.create_task(call)
        await ends_cancelled(self._caller, f"at await {at} of its verbs")

    def reached(self, _: Any) -> None:
        """Called on the loop of the verbs."""
        self.awaits += 1
        if self.awaits == self._at and self._callers_loop is not None:
            asyncio.run_coroutine_threadsafe(self._cancel(), self._callers_loop).result(PATIENCE_SECONDS)

    async def _cancel(self) -> None:
        assert self._caller is not None
        self._caller.cancel()
        for _ in range(_TURNS):
            await asyncio.sleep(0)


class _Stepped:
    def __init__(self, cut: CutWithin, protocol: type, inner: SessionRepository | MessageRepository) -> None:
        self._cut = cut
        self._protocol = protocol
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._inner, name)
        if not iscoroutinefunction(getattr(self._protocol, name, None)):
            return verb

        async def stepped(*args: Any, **named: Any) -> Any:
            return await Stepping(verb(*args, **named), self._cut.reached)

        return stepped
