"""The connections of an engine of ours, in the event loop that opened the adapter.

SQLAlchemy only makes them. Its pool and its greenlets would cost a third of what an append takes in this process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from agentkeep.spi.resend import Attempt
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import await_only, greenlet_spawn

from agentkeep_postgres.drivers import Driver
from agentkeep_postgres.errors import ends_connection

T = TypeVar("T")
Work = Callable[[Any], Coroutine[Any, Any, T]]
"""What a call does with a driver's connection."""

LOOP_TURNS = 3
"""After so many turns of the event loop a driver knows that the server closed an idle connection: read, end, close."""
_CANCEL_SECONDS = 2.0
"""How long a cancelled call waits until the server has stopped, so that nothing changes after it has ended (FLT-3)."""


class Closings:
    """What still runs after its call has ended: connections of cancelled calls are closed, or made to the end."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self, connection: Any, attempt: Attempt) -> None:
        """Close the connection of a cancelled call, and wait for a while until the server has stopped."""
        await self.start_and_wait(self._driver.close(connection), attempt)

    async def start_and_wait(self, work: Coroutine[Any, Any, None], attempt: Attempt) -> None:
        """For a cancelled call. What has not ended after a while goes on without it."""
        await asyncio.wait({self.start(work)}, timeout=min(_CANCEL_SECONDS, attempt.seconds_left))

    async def wait(self, seconds: float) -> None:
        """Wait for those of this event loop, which may end next: then what is being connected would stay open."""
        here = asyncio.get_running_loop()
        unfinished = {task for task in self._tasks if task.get_loop() is here}
        if unfinished:
            await asyncio.wait(unfinished, timeout=seconds)


class OwnConnections:
    def __init__(self, engine: AsyncEngine, driver: Driver, closings: Closings, *, most: int, seconds: float) -> None:
        """`most`: how many connections there may be at a time. `seconds`: the longest that a call may take."""
        self._engine = engine
        self._driver = driver
        self._closings = closings
        self._idle: list[Any] = []
        self._places = asyncio.Semaphore(most)
        self._seconds = seconds
        self._is_closed = False
        self.settings = ""
        """What each new connection runs first."""

    async def run(self, work: Work[T], attempt: Attempt, *, check: bool) -> T:
        """What `work` returns. `check`: look more closely for a connection that died while it was idle (FLT-2)."""
        connection, reused = await self._take(check=check, fresh=attempt.needs_new_connection)
        try:
            attempt.sending(reused=reused)
            result = await work(connection)
        except Exception as error:
            self._put_back(connection, is_broken=ends_connection(error) or self._driver.is_closed(connection))
            raise
        except BaseException:  # the call was cancelled, or its time is over
            self._places.release()
            await self._closings.close(connection, attempt)
            raise
        self._put_back(connection)
        return result

    async def _take(self, *, check: bool, fresh: bool) -> tuple[Any, bool]:
        """A connection that is alive as far as the driver knows without asking the server, and whether it served an
        earlier call. `fresh`: one that has not."""
        await self._places.acquire()
        while self._idle:
            connection = self._idle.pop()
            try:
                for _ in range(LOOP_TURNS if check and not fresh else 0):
                    await asyncio.sleep(0)
            except BaseException:
                self._put_back(connection)
                raise
            if not fresh and not self._driver.is_closed(connection):
                return connection, True
            self._driver.end(connection)
        return await self._connect(), False

    async def _connect(self) -> Any:
        """Connect to the end: see `Leases.connect`."""
        connecting = asyncio.ensure_future(greenlet_spawn(self._make))
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            self._closings.start(self._take_back(connecting))
            raise
        except BaseException:
            self._places.release()
            raise

    def _make(self) -> Any:
        """Runs in a greenlet."""
        lease = self._engine.sync_engine.pool.connect()
        connection = lease.driver_connection
        lease.detach()
        if self.settings:
            try:
                await_only(asyncio.wait_for(self._driver.script(connection, self.settings), self._seconds))
            except BaseException:
                self._driver.end(connection)
                raise
        return connection

    async def _take_back(self, connecting: asyncio.Future[Any]) -> None:
        await asyncio.wait({connecting})
        if connecting.cancelled() or connecting.exception() is not None:
            self._places.release()
        else:
            self._put_back(connecting.result())

    def _put_back(self, connection: Any, *, is_broken: bool = False) -> None:
        """Keep a connection for a later call, or end it."""
        if is_broken or self._is_closed:
            self._driver.end(connection)
        else:
            self._idle.append(connection)
        self._places.release()

    async def close(self) -> None:
        """Close the idle connections now, and the others when their calls end."""
        self._is_closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(self._driver.close(connection) for connection in idle))
