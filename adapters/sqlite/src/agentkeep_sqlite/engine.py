"""The client for the caller's own SQLAlchemy engine: work runs in the engine's event loop. We never close it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from agentkeep.errors import Closed, ConfigurationError, PersistenceError
from agentkeep.spi.clock import Clock, never_back
from agentkeep.spi.notify import Key, Notifier
from sqlalchemy.engine import Connection as SQLAlchemyConnection
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import NullPool, StaticPool

from agentkeep_sqlite.client import Connection, Row, Unsettled, Values, Work, paused
from agentkeep_sqlite.errors import Phase, translated
from agentkeep_sqlite.notify import EngineListener
from agentkeep_sqlite.rows import to_micros

T = TypeVar("T")


@dataclass(eq=False)
class _Use:
    """An engine in one event loop."""

    loop: asyncio.AbstractEventLoop
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One lock for all adapters, because they may use the same connection."""
    adapters: int = 0


_PREPARED = "agentkeep_sqlite"
"""Key in a pooled connection's `info`: the connection has our setting."""

_DRIVER_ERRORS = (sqlite3.Error, SQLAlchemyError)
_uses: WeakKeyDictionary[Engine, list[_Use]] = WeakKeyDictionary()
"""The event loops in which adapters are open on an engine: more than one only if it keeps no connections."""
_uses_lock = threading.Lock()
_OTHER_LOOP = (
    "an engine belongs to one event loop: give this loop an adapter with its own engine, "
    "or open the database by its path, which works from any loop"
)


def check_engine(engine: object) -> AsyncEngine:
    """Raises `ConfigurationError` if this is not an async engine for SQLite."""
    if not isinstance(engine, AsyncEngine):
        raise ConfigurationError(f"database is a {type(engine).__name__}: give a path or an AsyncEngine")
    if engine.dialect.name != "sqlite":
        raise ConfigurationError(f"the engine is for {engine.dialect.name}: give an engine for sqlite+aiosqlite")
    return engine


class EngineConnection:
    """A connection of SQLAlchemy, so that the engine's events see each statement."""

    def __init__(self, connection: SQLAlchemyConnection, now: int, settled: int) -> None:
        self._connection = connection
        self.now = now
        self.settled = settled

    def all(self, sql: str, values: Values = ()) -> list[Row]:
        return list(self._connection.exec_driver_sql(sql, _parameters(values)).fetchall())

    def one(self, sql: str, values: Values = ()) -> Row | None:
        rows = self.all(sql, values)
        return rows[0] if rows else None

    def run(self, sql: str, values: Values = ()) -> int:
        return self._connection.exec_driver_sql(sql, _parameters(values)).rowcount

    def many(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            self._connection.exec_driver_sql(sql, rows if len(rows) > 1 else rows[0])

    @contextmanager
    def snapshot(self) -> Generator[None]:
        if _has_begun(self._connection):
            yield
            return
        self.run("BEGIN")
        try:
            yield
        finally:
            self.run("ROLLBACK")


class EngineClient:
    """One transaction per call: there is no group commit here.

    Each call runs in a task of its own, so that cancelling its caller can't stop it halfway (FLT-3).
    """

    warnings: tuple[str, ...] = (
        "appends through an engine don't share commits: a path instead of the engine is faster",
    )

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._now = never_back(clock)
        self._settled = 0
        self.notifier = Notifier(EngineListener)
        self._engine = engine
        self._name = engine.url.render_as_string(hide_password=True)
        self._use: _Use | None = None
        self._lock = asyncio.Lock()
        self._has_one_connection = isinstance(engine.sync_engine.pool, StaticPool)
        """As a database in memory has: then reads take the lock too."""
        self._running: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        if self._use is None or self._use.loop.is_closed():
            self._use = _begin_use(self._engine.sync_engine)
            self._lock = self._use.lock
            self.notifier.open()

    async def read(self, work: Work[T], *, is_short: bool = False) -> T:  # an engine has its own thread
        run = self._locked if self._has_one_connection else self._connected
        while True:
            try:
                return await self._run(partial(run, partial(self._read, work)))
            except Unsettled:
                await self.write(_do_nothing)  # returns after every write that began earlier

    async def write(self, work: Work[T], *, changes: Key | None = None) -> T:
        result = await self._run(partial(self._locked, partial(self._write, work)))
        if changes is not None:
            self.notifier.notify(changes)
        return result

    async def _run(self, call: Callable[[], Any]) -> Any:
        if self._use is None:
            raise Closed("this SQLite adapter is not open")
        if asyncio.get_running_loop() is not self._use.loop:
            raise ConfigurationError(_OTHER_LOOP)
        task = asyncio.ensure_future(call())
        self._running.add(task)
        task.add_done_callback(self._finished)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            while not task.done():
                with suppress(asyncio.CancelledError):  # cancelled again: the running call still has to end first
                    await asyncio.wait([task])
            raise

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as seen: a cancelled caller never asks for it

    async def _locked(self, call: Callable[[SQLAlchemyConnection], T]) -> T:
        async with self._lock:  # one writer of ours at a time: waiting here is cheaper than at SQLite's lock
            return await self._connected(call)

    async def _connected(self, call: Callable[[SQLAlchemyConnection], T]) -> T:
        try:
            async with self._engine.connect() as connection:
                return await connection.run_sync(call)
        except _DRIVER_ERRORS as error:
            raise translated(error, Phase.WORKING, self._name) from error

    def _read(self, work: Work[T], connection: SQLAlchemyConnection) -> T:
        settled = self._settled
        return work(EngineConnection(connection, to_micros(self._now()), settled))

    def _write(self, work: Work[T], connection: SQLAlchemyConnection) -> T:
        db = EngineConnection(connection, 0, 0)
        if not connection.info.get(_PREPARED):
            db.all("PRAGMA secure_delete = ON")
            connection.info[_PREPARED] = True
        _begin(connection, db)
        db.now = db.settled = self._settled = to_micros(self._now())
        result = work(db)
        try:
            connection.commit()
        except _DRIVER_ERRORS as error:
            raise translated(error, Phase.COMMITTING, self._name) from error
        return result

    async def write_step(self, work: Work[T]) -> T:
        return await paused(self.write(work))

    async def run_when_idle(self, step: Work[bool]) -> None:
        with suppress(PersistenceError):  # the reads that asked for it ask again
            await self.write(step)

    async def vacuum(self) -> bool:
        """Not ours to do: the file may hold other tables, and have any size."""
        return False

    async def checkpoint(self) -> None:
        """Does nothing: the engine's owner decides when its log is moved."""

    async def close(self) -> None:
        self.notifier.close()
        while self._running:
            await asyncio.wait(self._running)
        use, self._use = self._use, None
        if use is not None:
            _end_use(self._engine.sync_engine, use)


def _begin_use(engine: Engine) -> _Use:
    """Raises `ConfigurationError` if the engine's connections belong to another event loop.

    SQLAlchemy's pools, and a lock of another loop, do not wake a caller of this loop: the call would hang (ERR-1).
    """
    loop = asyncio.get_running_loop()
    with _uses_lock:
        uses = _uses.setdefault(engine, [])
        uses[:] = [use for use in uses if not use.loop.is_closed()]
        if not isinstance(engine.pool, NullPool) and any(use.loop is not loop for use in uses):
            raise ConfigurationError(_OTHER_LOOP)
        use = next((use for use in uses if use.loop is loop), None)
        if use is None:
            use = _Use(loop)
            uses.append(use)
        use.adapters += 1
        return use


def _end_use(engine: Engine, use: _Use) -> None:
    with _uses_lock:
        use.adapters -= 1
        uses = _uses.get(engine, [])
        if not use.adapters and use in uses:
            uses.remove(use)


def _do_nothing(db: Connection) -> None:
    """A write that only waits for its turn."""


def _begin(connection: SQLAlchemyConnection, db: EngineConnection) -> None:
    """BEGIN IMMEDIATE, whatever the engine's own hooks have begun: an empty deferred transaction holds no lock."""
    if _has_begun(connection):
        db.run("ROLLBACK")
    db.run("BEGIN IMMEDIATE")


def _has_begun(connection: SQLAlchemyConnection) -> bool:
    """Whether SQLite is in a transaction. An engine's own hook may send BEGIN as soon as SQLAlchemy begins one."""
    if not connection.in_transaction():
        connection.begin()
    driver: Any = connection.connection.driver_connection
    return driver.in_transaction


def _parameters(values: Values) -> Any:
    return dict(values) if isinstance(values, Mapping) else values
