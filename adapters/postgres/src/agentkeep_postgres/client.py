"""How a statement reaches the server: the pool, the connection, and the policy of sending a call again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from agentkeep.errors import Closed, OutcomeUnknown, PersistenceError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import Pool, PoolProxiedConnection
from sqlalchemy.util import await_only, greenlet_spawn

from agentkeep_postgres.drivers import AsyncpgDriver, Driver, PsycopgDriver, Row
from agentkeep_postgres.errors import Sent, ends_connection, is_contention, is_lost, translated
from agentkeep_postgres.statements import Statement

_CONTENTION_TRIES = 8
_CONTENTION_SECONDS = 0.01
"""The first pause; each further one is twice as long."""
_LOOP_TURNS = 3
"""After so many turns of the event loop a driver knows that the server closed an idle connection: read, end, close."""

_SAME_VALUES: Mapping[str, object] = {}

T = TypeVar("T")


class _CallFailed(Exception):
    """A statement failed; says how far it had come."""

    def __init__(self, sent: Sent, *, reused: bool = False) -> None:
        self.sent = sent
        self.reused = reused
        """Whether its connection had served an earlier call, and may have died while it was idle."""


class Client:
    """One engine, with a pool for each event loop. No connection is held between calls (FLT-4)."""

    def __init__(self, engine: AsyncEngine, *, owned: bool, address: str, command_timeout: float | None = None) -> None:
        self.engine = engine
        self.address = address
        """The database's URL without its password, for error messages."""
        self.behind_pooler = False
        """Whether a pooler in transaction mode stands between us and the server."""
        is_psycopg = engine.dialect.driver.startswith("psycopg")
        self.driver: Driver = PsycopgDriver(command_timeout) if is_psycopg else AsyncpgDriver()
        self._owned = owned
        self._is_open = False
        self._home: Pool | None = None
        """The engine's own pool, which serves the event loop that opened the adapter."""
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, Pool] = WeakKeyDictionary()

    def open(self) -> None:
        """Bind the engine's own pool to this event loop."""
        self._is_open = True
        self._home = self.engine.sync_engine.pool
        self._pools.setdefault(asyncio.get_running_loop(), self._home)

    async def close(self) -> None:
        """Close what was opened here. The pool of another event loop is closed in that loop, if it still runs."""
        self._is_open = False
        here = asyncio.get_running_loop()
        for loop, pool in list(self._pools.items()):
            if pool is self._home and not self._owned:
                continue
            if loop is here:
                await greenlet_spawn(pool.dispose)
            elif loop.is_running():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(greenlet_spawn(pool.dispose), loop))
        self._pools.clear()

    def pool(self) -> Pool:
        """The pool of the running event loop: a connection works only in the loop that made it (LIFE-3).

        Only the loop that opened the adapter keeps connections. Another loop may end without notice, so each of its
        calls closes its connection.
        """
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            if not self._is_open:
                raise Closed("this postgres adapter is not open: call open() first")
            pool = self._pools[loop] = self.engine.sync_engine.pool.recreate()
        return pool

    async def read(self, statement: Statement, values: Mapping[str, object]) -> Sequence[Row]:
        """Rows of a statement that writes nothing. It is sent once more if its connection was lost (FLT-2).

        So is a read on a connection that was idle and does not answer in time: the second try has a new connection.
        """
        return await self._send(statement, values, Sent.READ, resend=_SAME_VALUES)

    async def write(
        self, statement: Statement, values: Mapping[str, object], *, resend: Mapping[str, object] | None = None
    ) -> Sequence[Row]:
        """Rows of a statement that writes.

        Give `resend` only if the statement has the same effect once or twice. If its answer is lost, it is sent once
        more with these values in place of the first ones. Without `resend` a lost answer is `OutcomeUnknown` (ERR-2).
        """
        return await self._send(statement, values, Sent.WRITE, resend=resend)

    async def _send(
        self,
        statement: Statement,
        values: Mapping[str, object],
        kind: Sent,
        *,
        resend: Mapping[str, object] | None,
    ) -> Sequence[Row]:
        arguments = statement.arguments(values)
        lost = silent = False
        tries = 0
        while True:
            try:
                return await greenlet_spawn(
                    self._fetch, self.pool(), statement, arguments, kind, check=resend is None, fresh=silent
                )
            except _CallFailed as failed:
                error = failed.__cause__ or failed
                tries += 1
                if is_contention(error) and tries < _CONTENTION_TRIES:
                    await asyncio.sleep(_CONTENTION_SECONDS * 2**tries * random.random())  # noqa: S311
                elif resend is not None and not lost and failed.sent is kind and _may_be_lost(error, failed):
                    lost = True
                    silent = isinstance(error, TimeoutError)
                    arguments = statement.arguments({**values, **resend})
                else:
                    raise self._translated(error, failed.sent, after_a_loss=lost and kind is Sent.WRITE) from error

    def _translated(self, error: BaseException, sent: Sent, *, after_a_loss: bool) -> PersistenceError:
        mapped = translated(error, sent, self.address)
        if not after_a_loss or isinstance(mapped, OutcomeUnknown):
            return mapped
        return OutcomeUnknown(f"{self.address}: the first try got no answer, and the second failed: {mapped}")

    def _fetch(
        self,
        pool: Pool,
        statement: Statement,
        arguments: Sequence[object],
        kind: Sent,
        *,
        check: bool,
        fresh: bool,
    ) -> Sequence[Row]:
        sql = statement.text
        unnamed = self.behind_pooler or statement.is_planned_each_time
        fetch = self.driver.fetch_unnamed if unnamed else self.driver.fetch
        return self._with_connection(
            pool, lambda connection: await_only(fetch(connection, sql, arguments)), kind, check=check, fresh=fresh
        )

    async def call(self, work: Callable[[Any], T]) -> T:
        """Run `work`, a plain function that awaits by `await_only`, with a driver's connection. For opening."""
        try:
            return await greenlet_spawn(self._with_connection, self.pool(), work, Sent.READ)
        except _CallFailed as failed:
            error = failed.__cause__ or failed
            raise translated(error, failed.sent, self.address) from error

    async def dedicated_connection(self) -> Any:
        """A driver's connection that belongs to no pool. The caller must end it."""
        try:
            lease = await greenlet_spawn(self.engine.sync_engine.pool.recreate().connect)
        except Exception as error:
            raise translated(error, Sent.NO, self.address) from error
        connection = lease.driver_connection
        lease.detach()
        return connection

    def _with_connection(
        self, pool: Pool, work: Callable[[Any], T], kind: Sent, *, check: bool = False, fresh: bool = False
    ) -> T:
        """Runs in a greenlet, where `await_only` awaits."""
        lease, connection = self._lease(pool, check=check, fresh=fresh)
        reused = bool(lease.info["agentkeep"])
        restore = _set_autocommit(connection)
        try:
            result = work(connection)
        except Exception as error:
            ended = ends_connection(error) or self.driver.is_closed(connection) or self._is_for_one_call(pool)
            self._return(lease, broken=ended, restore=restore)
            raise _CallFailed(kind, reused=reused) from error
        except BaseException:
            # The caller was cancelled during the call. Closing the connection waits until the server has stopped.
            self._return(lease, broken=True, restore=None)
            raise
        self._return(lease, broken=self._is_for_one_call(pool), restore=restore)
        return result

    def _is_for_one_call(self, pool: Pool) -> bool:
        """Whether a connection of this pool must be closed after the call.

        That is so in an event loop other than the opening one, and if the adapter was closed during the call.
        """
        return pool is not self._home or (self._owned and not self._is_open)

    def _lease(self, pool: Pool, *, check: bool, fresh: bool) -> tuple[PoolProxiedConnection, Any]:
        """A connection that is alive as far as the driver knows without asking the server (FLT-2); new if `fresh`."""
        while True:
            try:
                lease = pool.connect()
            except Exception as error:
                raise _CallFailed(Sent.NO) from error
            connection = lease.driver_connection
            used = "agentkeep" in lease.info
            lease.info["agentkeep"] = used
            if not used:
                return lease, connection
            if fresh:
                lease.invalidate()
                continue
            try:
                for _ in range(_LOOP_TURNS if check else 0):
                    await_only(asyncio.sleep(0))
            except BaseException:
                self._return(lease, broken=False, restore=None)
                raise
            if not self.driver.is_closed(connection):
                return lease, connection
            lease.invalidate()

    def _return(self, lease: PoolProxiedConnection, *, broken: bool, restore: Callable[[], None] | None) -> None:
        if broken:
            lease.invalidate()
            return
        if restore is not None:
            restore()
        lease.close()


def _may_be_lost(error: BaseException, failed: _CallFailed) -> bool:
    """Whether a new connection may succeed. That includes a read whose connection was idle before and stays silent."""
    return is_lost(error) or (failed.sent is Sent.READ and failed.reused and isinstance(error, TimeoutError))


def _set_autocommit(connection: Any) -> Callable[[], None] | None:
    """Make each statement a transaction of its own; returns how to undo that.

    psycopg opens a transaction for each statement on a caller's engine.
    """
    if getattr(connection, "autocommit", True):
        return None
    await_only(connection.set_autocommit(True))
    return lambda: await_only(connection.set_autocommit(False))
