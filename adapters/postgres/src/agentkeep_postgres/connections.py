"""The pool: a statement in, its rows out, and what happens where a connection or the server fails."""

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

from agentkeep_postgres.drivers import Asyncpg, Driver, Psycopg, Row
from agentkeep_postgres.errors import Sent, is_break, is_contention, is_loss, translated
from agentkeep_postgres.statements import Statement

_CONTENTION_TRIES = 8
_CONTENTION_SECONDS = 0.01
"""The first pause; each further one is twice as long."""
_LOOP_TURNS = 3
"""So many turns of the event loop until a connection that the server has closed is known to be: read, end, close."""

_ALIKE: Mapping[str, object] = {}

T = TypeVar("T")


class _Failed(Exception):
    """A statement's failure, with how far it had come."""

    def __init__(self, sent: Sent, *, reused: bool = False) -> None:
        self.sent = sent
        self.reused = reused
        """Whether its connection had served an earlier call, and may have died in silence since."""


class Connections:
    """One engine's connections, a pool for each event loop. No connection is held between calls (FLT-4)."""

    def __init__(self, engine: AsyncEngine, *, owned: bool, place: str, command_timeout: float | None = None) -> None:
        self.engine = engine
        self.place = place
        self.pooled = False
        """Whether a pooler in transaction mode stands between."""
        self.driver: Driver = Psycopg(command_timeout) if engine.dialect.driver.startswith("psycopg") else Asyncpg()
        self._owned = owned
        self._is_open = False
        self._home: Pool | None = None
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
        """The pool of the running event loop (LIFE-3): a connection serves only the loop that made it.

        A loop other than the opening one may end without a word, so no connection stays open there after a call.
        """
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            if not self._is_open:
                raise Closed("this postgres adapter is not open: call open() first")
            pool = self._pools[loop] = self.engine.sync_engine.pool.recreate()
        return pool

    async def read(self, statement: Statement, values: Mapping[str, object]) -> Sequence[Row]:
        """Rows of a statement that writes nothing. A lost connection is met by one silent retry (FLT-2).

        So is one that was idle and now gives no answer in time: the retry has a new connection, and the same time.
        """
        return await self._answer(statement, values, Sent.READ, again=_ALIKE)

    async def write(
        self, statement: Statement, values: Mapping[str, object], *, again: Mapping[str, object] | None = None
    ) -> Sequence[Row]:
        """Rows of a statement that writes.

        With `again`, where the answer was lost, it is sent once more with those values instead: it says that the
        statement's effect is the same once or twice. Without it a lost answer is `OutcomeUnknown` (ERR-2).
        """
        return await self._answer(statement, values, Sent.WRITE, again=again)

    async def _answer(
        self,
        statement: Statement,
        values: Mapping[str, object],
        kind: Sent,
        *,
        again: Mapping[str, object] | None,
    ) -> Sequence[Row]:
        arguments = statement.arguments(values)
        lost = silent = False
        tries = 0
        while True:
            try:
                return await greenlet_spawn(
                    self._fetch, self.pool(), statement, arguments, kind, check=again is None, fresh=silent
                )
            except _Failed as failed:
                error = failed.__cause__ or failed
                tries += 1
                if is_contention(error) and tries < _CONTENTION_TRIES:
                    await asyncio.sleep(_CONTENTION_SECONDS * 2**tries * random.random())  # noqa: S311
                elif again is not None and not lost and failed.sent is kind and _may_be_lost(error, failed):
                    lost = True
                    silent = isinstance(error, TimeoutError)
                    arguments = statement.arguments({**values, **again})
                else:
                    raise self._translated(error, failed.sent, after_a_loss=lost and kind is Sent.WRITE) from error

    def _translated(self, error: BaseException, sent: Sent, *, after_a_loss: bool) -> PersistenceError:
        mapped = translated(error, sent, self.place)
        if not after_a_loss or isinstance(mapped, OutcomeUnknown):
            return mapped
        return OutcomeUnknown(f"{self.place}: sent once without an answer, and the retry failed: {mapped}")

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
        unnamed = self.pooled or statement.is_planned_anew
        fetch = self.driver.fetch_unnamed if unnamed else self.driver.fetch
        return self._with_connection(
            pool, lambda connection: await_only(fetch(connection, sql, arguments)), kind, check=check, fresh=fresh
        )

    async def call(self, work: Callable[[Any], T]) -> T:
        """Run `work`, a plain function that awaits by `await_only`, with a driver's connection. For opening."""
        try:
            return await greenlet_spawn(self._with_connection, self.pool(), work, Sent.READ)
        except _Failed as failed:
            error = failed.__cause__ or failed
            raise translated(error, failed.sent, self.place) from error

    async def apart(self) -> Any:
        """A driver's connection of no pool, to listen on. Whoever took it ends it."""
        try:
            lease = await greenlet_spawn(self.engine.sync_engine.pool.recreate().connect)
        except Exception as error:
            raise translated(error, Sent.NO, self.place) from error
        connection = lease.driver_connection
        lease.detach()
        return connection

    def _with_connection(
        self, pool: Pool, work: Callable[[Any], T], kind: Sent, *, check: bool = False, fresh: bool = False
    ) -> T:
        """Runs in a greenlet, where `await_only` awaits."""
        lease, connection = self._lease(pool, check=check, fresh=fresh)
        reused = bool(lease.info["agentkeep"])
        restore = _made_autocommit(connection)
        try:
            answer = work(connection)
        except Exception as error:
            ended = is_break(error) or self.driver.is_closed(connection) or self._ends_with_its_call(pool)
            self._give_back(lease, broken=ended, restore=restore)
            raise _Failed(kind, reused=reused) from error
        except BaseException:
            # cancelled while the answer was on its way: the connection is closed, which waits for the server to stop
            self._give_back(lease, broken=True, restore=None)
            raise
        self._give_back(lease, broken=self._ends_with_its_call(pool), restore=restore)
        return answer

    def _ends_with_its_call(self, pool: Pool) -> bool:
        """In another event loop than the opening one; and what still ran when the adapter was closed."""
        return pool is not self._home or (self._owned and not self._is_open)

    def _lease(self, pool: Pool, *, check: bool, fresh: bool) -> tuple[PoolProxiedConnection, Any]:
        """A connection that is alive as far as can be known without asking the server (FLT-2); a new one if `fresh`."""
        while True:
            try:
                lease = pool.connect()
            except Exception as error:
                raise _Failed(Sent.NO) from error
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
                self._give_back(lease, broken=False, restore=None)
                raise
            if not self.driver.is_closed(connection):
                return lease, connection
            lease.invalidate()

    def _give_back(self, lease: PoolProxiedConnection, *, broken: bool, restore: Callable[[], None] | None) -> None:
        if broken:
            lease.invalidate()
            return
        if restore is not None:
            restore()
        lease.close()


def _may_be_lost(error: BaseException, failed: _Failed) -> bool:
    """Whether a new connection may do better, silence on one that was idle included, where the statement only reads."""
    return is_loss(error) or (failed.sent is Sent.READ and failed.reused and isinstance(error, TimeoutError))


def _made_autocommit(connection: Any) -> Callable[[], None] | None:
    """psycopg opens a transaction for each statement of a caller's engine; ours are transactions of their own."""
    if getattr(connection, "autocommit", True):
        return None
    await_only(connection.set_autocommit(True))
    return lambda: await_only(connection.set_autocommit(False))
