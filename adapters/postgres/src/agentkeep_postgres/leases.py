"""Connections of SQLAlchemy's pool: of a caller's engine, and for calls in another event loop than the opening one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from agentkeep.spi.resend import Attempt
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import Pool, PoolProxiedConnection
from sqlalchemy.util import await_only, greenlet_spawn

from agentkeep_postgres.connections import LOOP_TURNS, Closings, T, Work
from agentkeep_postgres.drivers import Driver
from agentkeep_postgres.errors import ends_connection

_USED = "agentkeep"
"""In the pool's notes about a connection: it has served a call."""


class Leases:
    def __init__(
        self, engine: AsyncEngine, driver: Driver, closings: Closings, *, for_one_call: Pool | None = None
    ) -> None:
        """`for_one_call`: a pool of which each connection is closed after its call; None: the engine's own pool."""
        self._engine = engine
        self._driver = driver
        self._closings = closings
        self._for_one_call = for_one_call
        self._empty = 0
        """How many places of the engine's pool have lost their connection, so that taking one connects anew."""

    def _pool(self) -> Pool:
        """The pool of now: `dispose` gives the caller's engine a new one."""
        return self._for_one_call or self._engine.sync_engine.pool

    def _is_for_one_call(self, pool: Pool) -> bool:
        """Whether a connection of this pool must be closed after the call; also if the engine has another pool now."""
        return pool is not self._engine.sync_engine.pool

    async def run(self, work: Work[T], attempt: Attempt, *, check: bool) -> T:
        """See `OwnConnections.run`."""
        return await greenlet_spawn(self._run, work, attempt, check)

    def _run(self, work: Work[T], attempt: Attempt, check: bool) -> T:
        """Runs in a greenlet, in which `await_only` awaits."""
        pool = self._pool()
        lease, connection = self._lease(pool, attempt, check=check)
        reused = _USED in lease.info
        lease.info[_USED] = True
        restore = None
        try:
            restore = _set_autocommit(connection)
            attempt.sending(reused=reused)
            result = await_only(work(connection))
        except Exception as error:
            is_broken = ends_connection(error) or self._driver.is_closed(connection) or self._is_for_one_call(pool)
            self._return(pool, lease, is_broken=is_broken, restore=restore)
            raise
        except BaseException:  # the call was cancelled, or its time is over
            self._count_empty(pool)
            lease.detach()
            await_only(self._closings.close(connection, attempt))
            raise
        self._return(pool, lease, is_broken=self._is_for_one_call(pool), restore=restore)
        return result

    def _lease(self, pool: Pool, attempt: Attempt, *, check: bool) -> tuple[PoolProxiedConnection, Any]:
        """A connection that is alive as far as the driver knows without asking the server (FLT-2)."""
        while True:
            lease = self._take(pool, attempt)
            connection = lease.driver_connection
            if _USED not in lease.info:
                return lease, connection
            if attempt.needs_new_connection:
                self._driver.end(connection)
                self._discard(pool, lease)
                continue
            try:
                for _ in range(LOOP_TURNS if check else 0):
                    await_only(asyncio.sleep(0))
            except BaseException:
                self._return(pool, lease, is_broken=False, restore=None)
                raise
            if not self._driver.is_closed(connection):
                return lease, connection
            self._discard(pool, lease)

    def _take(self, pool: Pool, attempt: Attempt) -> PoolProxiedConnection:
        idle: Callable[[], int] = getattr(pool, "checkedin", int)
        if self._empty == 0 and idle() > 0:
            return pool.connect()
        # This may make a connection. A call that is cancelled meanwhile must not interrupt that: asyncpg leaves an
        # exception which asyncio logs, and psycopg leaves the connection open (FLT-3).
        lease = await_only(self._connect(pool, attempt))
        if self._empty > 0 and _USED not in lease.info:
            self._empty -= 1
        return lease

    async def connect(self) -> PoolProxiedConnection:
        return await self._connect(self._pool())

    async def _connect(self, pool: Pool, attempt: Attempt | None = None) -> PoolProxiedConnection:
        """Connect to the end. If the caller is cancelled, the connection goes back to the pool when it is made.

        The cancelled call of an `attempt` waits for that a while, so that the pool is full when it ends (FLT-3).
        """
        connecting = asyncio.ensure_future(greenlet_spawn(pool.connect))
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            taking_back = self._take_back(pool, connecting)
            if attempt is None:
                self._closings.start(taking_back)
            else:
                await self._closings.start_and_wait(taking_back, attempt)
            raise

    async def _take_back(self, pool: Pool, connecting: asyncio.Future[PoolProxiedConnection]) -> None:
        try:
            lease = await connecting
        except Exception:  # there is no connection, and nobody waits for it
            return
        await greenlet_spawn(lease.invalidate if self._is_for_one_call(pool) else lease.close)

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
        if not self._is_for_one_call(pool):
            self._empty += 1

    async def close(self) -> None:
        """Close the idle connections."""
        await greenlet_spawn(self._pool().dispose)


def _set_autocommit(connection: Any) -> Callable[[], None] | None:
    """Make each statement a transaction of its own; returns how to undo that.

    psycopg opens a transaction for each statement on a caller's engine.
    """
    if getattr(connection, "autocommit", True):
        return None
    await_only(connection.set_autocommit(True))
    return lambda: await_only(connection.set_autocommit(False))
