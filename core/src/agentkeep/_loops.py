"""How a call gets to another event loop: from a thread, from a second event loop, and from trio (LIFE-3, LIFE-5)."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import Future, InvalidStateError, wait
from contextlib import suppress
from typing import Any, Generic, TypeVar

from agentkeep._process import Process
from agentkeep.errors import Closed, ConfigurationError, InvalidInput, OutcomeUnknown

Result = TypeVar("Result")

_CHECK_SECONDS = 1.0
"""How often a caller checks that the loop which it waits for still exists."""


def forked(opened_in: int) -> Closed:
    """The error of a call in a child process whose parent opened the keep (ERR-1)."""
    return Closed(
        f"process {opened_in} opened this keep, and this is process {Process.id}, which was forked from it: "
        "a connection can't be shared between processes, so open a keep in each process"
    )


class Loop:
    """A running event loop that takes calls from everywhere."""

    def __init__(self, loop: asyncio.AbstractEventLoop, thread_id: int) -> None:
        self._loop: asyncio.AbstractEventLoop | None = loop
        self._thread_id = thread_id
        self._process = Process.id
        self._lock = threading.Lock()

    @property
    def is_here(self) -> bool:
        """Whether the caller runs in this loop."""
        if threading.get_ident() != self._thread_id or Process.id != self._process:
            return False
        return self._loop is not None and self._loop.is_running()

    def require_elsewhere(self) -> None:
        """Raises `InvalidInput` in the loop's own thread, which would wait for itself."""
        if self.is_here:
            raise InvalidInput(
                "this thread runs the keep's own event loop, which must do the work, so it would wait for itself for "
                "ever: await the asynchronous keep here, or call the sync keep in another thread"
            )

    def run(self, call: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine on the loop and wait in this thread. Ctrl-C cancels it there.

        Raises `InvalidInput` in the loop's own thread, which would wait for itself.
        """
        try:
            self.require_elsewhere()
        except InvalidInput:
            call.close()
            raise
        return self._start(call).wait()

    async def arun(self, call: Coroutine[Any, Any, Result], *, is_cancellable: bool = True) -> Result:
        """Run a coroutine on the loop and wait in the caller's event loop, or in trio.

        If the wait is cancelled, the coroutine is cancelled too, and has ended when the caller sees it (FLT-3).
        """
        if self.is_here:
            return await call
        try:
            waiting = asyncio.get_running_loop()
        except RuntimeError:
            waiting = None
        if waiting is None and not _is_in_trio():
            call.close()
            raise ConfigurationError("this coroutine runs neither in asyncio nor in trio: use agentkeep.sync")
        started = self._start(call)
        cancel = started.cancel if is_cancellable else lambda: None
        if waiting is None:
            return await _wait_in_trio(started, cancel)
        return await _wait_in_asyncio(started, cancel, waiting)

    def _start(self, call: Coroutine[Any, Any, Result]) -> _Call[Result]:
        if self._process != Process.id:
            call.close()
            raise forked(self._process)
        with self._lock:
            if self._loop is None:
                call.close()
                raise Closed("this keep is not open: use `with` or `async with`, or call open() first")
            started = _Call(call, self._loop)
            try:
                self._loop.call_soon_threadsafe(started.begin)
            except RuntimeError as error:
                call.close()
                raise Closed("the event loop in which this keep was opened has ended: open a new keep") from error
        return started


class LoopThread(Loop):
    """An event loop in a thread of its own, from `start` to `stop`."""

    def __init__(self) -> None:
        self._loop = None
        self._thread: threading.Thread | None = None
        self._thread_id = 0
        self._process = Process.id
        self._lock = threading.Lock()

    def start(self) -> None:
        """Idempotent."""
        with self._lock:
            if self._loop is None:
                self._process = Process.id
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="agentkeep-loop", daemon=True)
                self._thread.start()
                self._thread_id = self._thread.ident or 0

    def stop(self) -> None:
        """Cancel what still runs, and end the thread. Idempotent. Raises `InvalidInput` in that thread."""
        self.require_elsewhere()
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            asyncio.run_coroutine_threadsafe(_end_all(loop), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


async def _end_all(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what still runs, so that no thread waits for ever, and close the generators that were left half read."""
    running = asyncio.all_tasks(loop) - {asyncio.current_task()}
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()  # asyncio looks up names of servers there


class _Call(Generic[Result]):
    """One coroutine on its way to another event loop, and its result on the way back."""

    def __init__(self, call: Coroutine[Any, Any, Result], loop: asyncio.AbstractEventLoop) -> None:
        self._call = call
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self.ended: Future[Result] = Future()

    def begin(self) -> None:
        """Called on the loop."""
        self._task = self._loop.create_task(self._run())
        self._task.add_done_callback(self._finish)

    async def _run(self) -> None:
        try:
            result = await self._call
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as error:  # SystemExit too: it is the caller's, and would end the loop's thread here
            self.ended.set_exception(error)
        else:
            self.ended.set_result(result)

    def _finish(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self._call.close()  # it may not have begun
            self.ended.set_exception(OutcomeUnknown("the keep was closed while this call ran: it may have been done"))

    def cancel(self) -> None:
        """From any thread."""
        with suppress(RuntimeError):  # the loop is closed, and so the task has ended
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task:
            self._task.cancel()

    def wait(self) -> Result:
        """Wait in this thread."""
        try:
            while not self._has_ended(within=_CHECK_SECONDS):
                self.check_loop()
        except BaseException:  # Ctrl-C: as asyncio.run does, end the call first; a second Ctrl-C does not wait
            self.cancel()
            wait([self.ended], None if self._loop.is_running() else 0)
            raise
        return self.ended.result()

    def check_loop(self) -> None:
        """End the call if its loop was closed, because nothing else can: from any thread."""
        if self._loop.is_closed():
            error = OutcomeUnknown("the event loop of this keep ended while this call ran: it may have been done")
            with suppress(InvalidStateError):  # it has ended meanwhile
                self.ended.set_exception(error)

    def _has_ended(self, *, within: float) -> bool:
        try:
            self.ended.exception(within)
        except TimeoutError:
            return False
        return True


async def _wait_in_asyncio(
    started: _Call[Result], cancel: Callable[[], None], waiting: asyncio.AbstractEventLoop
) -> Result:
    cancelled: asyncio.CancelledError | None = None
    while not started.ended.done():
        arrived = waiting.create_future()
        started.ended.add_done_callback(lambda _, arrived=arrived: _wake(waiting, arrived))
        checks = _Checks(started, waiting)
        try:
            await arrived
        except asyncio.CancelledError as error:
            cancelled = error
            cancel()
        except BaseException:  # this coroutine itself is closed, so it may not wait
            cancel()
            raise
        finally:
            checks.stop()
    if cancelled is not None:
        started.ended.exception()
        raise cancelled
    return started.ended.result()


class _Checks:
    """Checks once a second that the loop of a call still exists."""

    def __init__(self, started: _Call[Any], waiting: asyncio.AbstractEventLoop) -> None:
        self._started = started
        self._waiting = waiting
        self._next = waiting.call_later(_CHECK_SECONDS, self._check)

    def _check(self) -> None:
        self._started.check_loop()
        self._next = self._waiting.call_later(_CHECK_SECONDS, self._check)

    def stop(self) -> None:
        self._next.cancel()


def _wake(waiting: asyncio.AbstractEventLoop, arrived: asyncio.Future[None]) -> None:
    with suppress(RuntimeError):  # the waiting loop was closed meanwhile
        waiting.call_soon_threadsafe(lambda: None if arrived.done() else arrived.set_result(None))


def _is_in_trio() -> bool:
    trio = sys.modules.get("trio")
    try:
        return trio is not None and trio.lowlevel.current_task() is not None
    except RuntimeError:
        return False


async def _wait_in_trio(started: _Call[Result], cancel: Callable[[], None]) -> Result:
    trio = sys.modules["trio"]
    token, arrived = trio.lowlevel.current_trio_token(), trio.Event()

    def wake(_: object) -> None:
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(arrived.set)

    started.ended.add_done_callback(wake)

    async def wait_for_end() -> None:
        while not arrived.is_set():
            with trio.move_on_after(_CHECK_SECONDS):
                await arrived.wait()
            started.check_loop()

    try:
        await wait_for_end()
    except trio.Cancelled:
        cancel()
        with trio.CancelScope(shield=True):
            await wait_for_end()
        raise
    except BaseException:
        cancel()
        raise
    return started.ended.result()


END: Any = object()
"""Stands after the last row of a generator."""


async def next_row(rows: AsyncGenerator[Result, None]) -> Result:
    """The next row, or `END`."""
    return await anext(rows, END)
