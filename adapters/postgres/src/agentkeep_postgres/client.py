"""How a statement reaches the server: a pool for each event loop, a connection for each call, and the resend policy."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from agentkeep.errors import Closed, ConfigurationError, PersistenceError
from agentkeep.spi.resend import Attempt, Effect, Resend
from agentkeep.spi.urls import redact
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import Pool, PoolProxiedConnection
from sqlalchemy.util import await_only, greenlet_spawn

from agentkeep_postgres.drivers import Driver, ListeningConnection, Row, driver_of
from agentkeep_postgres.errors import cause_of, ends_connection, translated
from agentkeep_postgres.statements import Statement

_LOOP_TURNS = 3
"""After so many turns of the event loop a driver knows that the server closed an idle connection: read, end, close."""
_CANCEL_SECONDS = 2.0
"""How long a cancelled call waits until the server has stopped, so that nothing changes after it has ended (FLT-3)."""
_USED = "agentkeep"
"""In the pool's notes about a connection: it has served a call."""

T = TypeVar("T")


class Client:
    """One engine, with a pool for each event loop. No connection is held between calls (FLT-4)."""

    def __init__(self, engine: AsyncEngine, *, is_ours: bool, timeout: timedelta) -> None:
        """`timeout` bounds each call, the wait for a connection included (FLT-5)."""
        self.address = redact(engine.url.set(drivername="postgresql").render_as_string(hide_password=True))
        """The database's URL without its password, for error messages."""
        self.behind_pooler = False
        """Whether a pooler in transaction mode stands between us and the server."""
        self.driver: Driver = driver_of(engine)
        self._engine = engine
        self._is_ours = is_ours
        self._seconds = timeout.total_seconds()
        self._resend = Resend(server=self.address, cause=cause_of, translate=self._translated, seconds=self._seconds)
        self._opened_in: int | None = None
        """The process that opened the adapter."""
        self._home: asyncio.AbstractEventLoop | None = None
        """The event loop that opened the adapter. The engine's own pool serves it."""
        self._empty = 0
        """How many places of the engine's pool have lost their connection, so that taking one connects anew."""
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, Pool] = WeakKeyDictionary()
        self._background: set[asyncio.Task[None]] = set()
        """The closing of connections whose calls were cancelled."""

    def open(self) -> None:
        """Let this event loop use the engine's own pool."""
        self._opened_in = os.getpid()
        self._home = asyncio.get_running_loop()

    async def close(self) -> None:
        """Close what was opened here. The pool of another event loop is closed in that loop, if it still runs."""
        self._opened_in = None
        here = asyncio.get_running_loop()
        pools = [*self._pools.items()]
        if self._home is not None and self._is_ours:
            pools.append((self._home, self._engine.sync_engine.pool))
        for loop, pool in pools:
            if loop is here:
                await greenlet_spawn(pool.dispose)
            elif loop.is_running():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(greenlet_spawn(pool.dispose), loop))
        self._pools.clear()
        unfinished = {task for task in self._background if task.get_loop() is here}
        if unfinished:
            await asyncio.wait(unfinished, timeout=_CANCEL_SECONDS)

    async def read(self, statement: Statement, values: Mapping[str, object]) -> Sequence[Row]:
        """Rows of a statement that writes nothing."""
        return await self._run(Effect.READ, statement, values)

    async def write(
        self,
        statement: Statement,
        values: Mapping[str, object],
        *,
        effect: Effect = Effect.ONCE,
        resent: Mapping[str, object] | None = None,
    ) -> Sequence[Row]:
        """Rows of a statement that writes.

        `resent`: values that replace the given ones if the statement is sent again and may have happened already.
        """
        return await self._run(effect, statement, values, resent)

    async def _run(
        self,
        effect: Effect,
        statement: Statement,
        values: Mapping[str, object],
        resent: Mapping[str, object] | None = None,
    ) -> Sequence[Row]:
        prepare = not (self.behind_pooler or statement.is_planned_each_time)

        async def send(attempt: Attempt) -> Sequence[Row]:
            changed = resent if attempt.may_have_run else None
            arguments = statement.arguments({**values, **changed} if changed else values)

            def fetch(connection: Any) -> Sequence[Row]:
                return await_only(self.driver.fetch(connection, statement.text, arguments, prepare=prepare))

            # A write that must not be sent twice looks more closely for a dead connection.
            check = effect is Effect.ONCE
            return await greenlet_spawn(self._with_connection, self._pool(), fetch, attempt, check)

        return await self._resend.run(effect, send)

    async def call(self, work: Callable[[Any], T], *, is_bounded: bool = True) -> T:
        """Run `work`, a plain function that awaits by `await_only`, with a driver's connection. For opening.

        It is sent once more as a read is, so it must be all or nothing. `is_bounded`: by `timeout`.
        """
        resend = self._resend if is_bounded else self._unbounded()

        async def send(attempt: Attempt) -> T:
            return await greenlet_spawn(self._with_connection, self._pool(), work, attempt, False)

        return await resend.run(Effect.READ, send)

    def _unbounded(self) -> Resend:
        return Resend(server=self.address, cause=cause_of, translate=self._translated, seconds=None)

    async def listen(
        self, channel: str, notify: Callable[[str], None], lost: Callable[[], None]
    ) -> ListeningConnection:
        """A connection outside the pool that listens: see `Driver.listen`. The caller must end it."""
        try:
            async with asyncio.timeout(self._seconds):
                pool = self._engine.sync_engine.pool.recreate()
                lease = await self._connect(pool)
                connection = lease.driver_connection
                lease.detach()
                try:
                    return await self.driver.listen(connection, channel, notify, lost)
                except BaseException:
                    self.driver.end(connection)
                    raise
        except Exception as error:  # also on a replica, which refuses to listen
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> PersistenceError:
        return translated(error, self.address)

    def _pool(self) -> Pool:
        """The pool of the running event loop: a connection works only in the loop that made it (LIFE-3).

        Only the loop that opened the adapter keeps connections. Another loop may end without notice, so each of its
        calls closes its connection.
        """
        if self._opened_in is None:
            raise Closed("this postgres adapter is not open: call open() first")
        if self._opened_in == os.getpid():
            loop = asyncio.get_running_loop()
            if loop is self._home:
                return self._engine.sync_engine.pool
            pool = self._pools.get(loop)
            if pool is None:
                pool = self._pools[loop] = self._engine.sync_engine.pool.recreate()
            return pool
        raise ConfigurationError(
            f"this postgres adapter was opened in process {self._opened_in} and can't be used in its fork "
            f"{os.getpid()}: open another one there"
        )

    def _with_connection(self, pool: Pool, work: Callable[[Any], T], attempt: Attempt, check: bool) -> T:
        """Runs in a greenlet, in which `await_only` awaits."""
        lease, connection = self._lease(pool, check=check, fresh=attempt.needs_new_connection)
        reused = _USED in lease.info
        lease.info[_USED] = True
        restore = None
        try:
            restore = _set_autocommit(connection)
            attempt.sending(reused=reused)
            result = work(connection)
        except Exception as error:
            is_broken = ends_connection(error) or self.driver.is_closed(connection) or self._is_for_one_call(pool)
            self._return(pool, lease, is_broken=is_broken, restore=restore)
            raise
        except BaseException:  # the call was cancelled, or its time is over
            self._count_empty(pool)
            lease.detach()
            closing = self._in_background(self.driver.close(connection))
            await_only(asyncio.wait({closing}, timeout=min(_CANCEL_SECONDS, attempt.seconds_left)))
            raise
        self._return(pool, lease, is_broken=self._is_for_one_call(pool), restore=restore)
        return result

    def _is_for_one_call(self, pool: Pool) -> bool:
        """Whether a connection of this pool must be closed after the call.

        That is so in an event loop other than the opening one, and if the adapter was closed during the call.
        """
        return pool is not self._engine.sync_engine.pool or (self._is_ours and self._opened_in is None)

    def _lease(self, pool: Pool, *, check: bool, fresh: bool) -> tuple[PoolProxiedConnection, Any]:
        """A connection that is alive as far as the driver knows without asking the server (FLT-2); new if `fresh`."""
        while True:
            lease = self._take(pool)
            connection = lease.driver_connection
            if _USED not in lease.info:
                return lease, connection
            if fresh:
                self.driver.end(connection)
                self._discard(pool, lease)
                continue
            try:
                for _ in range(_LOOP_TURNS if check else 0):
                    await_only(asyncio.sleep(0))
            except BaseException:
                self._return(pool, lease, is_broken=False, restore=None)
                raise
            if not self.driver.is_closed(connection):
                return lease, connection
            self._discard(pool, lease)

    def _take(self, pool: Pool) -> PoolProxiedConnection:
        idle: Callable[[], int] = getattr(pool, "checkedin", int)
        if self._empty == 0 and idle() > 0:
            return pool.connect()
        # This may make a connection. A call that is cancelled meanwhile must not interrupt that: asyncpg leaves an
        # exception which asyncio logs, and psycopg leaves the connection open (FLT-3).
        lease = await_only(self._connect(pool))
        if self._empty > 0 and _USED not in lease.info:
            self._empty -= 1
        return lease

    async def _connect(self, pool: Pool) -> PoolProxiedConnection:
        """Connect to the end. If the caller is cancelled, the connection goes back to the pool when it is made."""
        connecting = asyncio.ensure_future(greenlet_spawn(pool.connect))
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(lambda done: self._take_back(pool, done))
            raise

    def _take_back(self, pool: Pool, connecting: asyncio.Future[PoolProxiedConnection]) -> None:
        if connecting.cancelled() or connecting.exception() is not None:
            return
        returning = connecting.result().invalidate if self._is_for_one_call(pool) else connecting.result().close
        self._in_background(greenlet_spawn(returning))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    def _return(
        self, pool: Pool, lease: PoolProxiedConnection, *, is_broken: bool, restore: Callable[[], None] | None
    ) -> None:
        if is_broken:
            self._discard(pool, lease)
            return
        if restore is not None:
            restore()
        lease.close()

    def _discard(self, pool: Pool, lease: PoolProxiedConnection) -> None:
        self._count_empty(pool)
        lease.invalidate()

    def _count_empty(self, pool: Pool) -> None:
        if pool is self._engine.sync_engine.pool:
            self._empty += 1


def _set_autocommit(connection: Any) -> Callable[[], None] | None:
    """Make each statement a transaction of its own; returns how to undo that.

    psycopg opens a transaction for each statement on a caller's engine.
    """
    if getattr(connection, "autocommit", True):
        return None
    await_only(connection.set_autocommit(True))
    return lambda: await_only(connection.set_autocommit(False))
