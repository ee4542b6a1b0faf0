"""Cancelling a call at one exact await, as a web server does when its client hangs up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from enum import Enum
from functools import partial
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")

_PATIENCE = 60
"""Seconds in which a cancelled call has to end."""


class When(Enum):
    """At which moment of an await the cancellation comes."""

    WAITING = "while the call waits"
    ARRIVING = "together with what the call waits for"


class Stepping(Generic[T]):
    """Awaits a coroutine, and calls `reached` with what it waits for each time it gives way to the event loop."""

    def __init__(self, call: Awaitable[T], reached: Callable[[Any], None]) -> None:
        self._call = call
        self._reached = reached

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._call.__await__()
        try:
            waiting = next(steps)
            while True:
                self._reached(waiting)
                try:
                    arrived = yield waiting
                except BaseException as error:
                    waiting = steps.throw(error)
                else:
                    waiting = steps.send(arrived)
        except StopIteration as done:
            return done.value


class CancelledAt(Generic[T]):
    """Awaits a coroutine and cancels the task around it at its await number `at`, from 1; 0 cancels nothing.

    `awaits` says how many times the coroutine gave way to the event loop.
    """

    def __init__(self, call: Coroutine[Any, Any, T], at: int = 0, when: When = When.WAITING) -> None:
        self._call = call
        self._at = at
        self._when = when
        self.awaits = 0

    def __await__(self) -> Generator[Any, Any, T]:
        task = asyncio.current_task()
        assert task is not None, "nothing to cancel outside a task"
        return Stepping(self._call, partial(self._reached, task)).__await__()

    def _reached(self, task: asyncio.Task[Any], waiting: Any) -> None:
        self.awaits += 1
        if self.awaits != self._at:
            return
        if self._when is When.ARRIVING and isinstance(waiting, asyncio.Future):
            cast("asyncio.Future[Any]", waiting).add_done_callback(lambda _: task.cancel())
        else:
            asyncio.get_running_loop().call_soon(task.cancel)


async def awaits_of(call: Coroutine[Any, Any, Any]) -> int:
    """How many times a call yields to the event loop if nobody disturbs it."""
    stepping = CancelledAt(call)
    await stepping
    return stepping.awaits


async def was_cancelled(call: Coroutine[Any, Any, Any], at: int, when: When) -> bool:
    """Run a call in a task of its own and cancel it there; False if it was done before.

    Raises AssertionError if the task does not end: it ignored the cancellation and still waits.
    """

    async def run() -> None:
        await CancelledAt(call, at, when)

    return await ends_cancelled(asyncio.create_task(run()), f"at await {at} {when.value}")


async def ends_cancelled(task: asyncio.Task[Any], cancelled: str) -> bool:
    """Wait for a task that is cancelled meanwhile; False if it was done before."""
    _, waiting = await asyncio.wait([task], timeout=_PATIENCE)
    assert not waiting, f"cancelled {cancelled}, the call never ended"
    if task.cancelled():
        return True
    task.result()
    return False
