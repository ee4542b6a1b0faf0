"""Work through the caller's own engine, in the event loop that it belongs to. The engine is never closed by us."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from agentkeep.errors import Closed, ConfigurationError
from sqlalchemy.engine import Connection as EngineConnection
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import StaticPool

from agentkeep_sqlite.bell import Bell
from agentkeep_sqlite.connection import PooledConnection, Work
from agentkeep_sqlite.errors import Phase, translated

T = TypeVar("T")
_PREPARED = "agentkeep_sqlite"
"""Marks a pooled connection that has our setting."""

_DRIVER_ERRORS = (sqlite3.Error, SQLAlchemyError)
_turns: WeakKeyDictionary[Engine, asyncio.Lock] = WeakKeyDictionary()
"""One lock an engine: two adapters may have the same."""


def check_engine(engine: object) -> AsyncEngine:
    """Raises `ConfigurationError` for what is no engine for SQLite."""
    if not isinstance(engine, AsyncEngine):
        raise ConfigurationError(f"database is a {type(engine).__name__}: give a path or an AsyncEngine")
    if engine.dialect.name != "sqlite":
        raise ConfigurationError(f"the engine is one for {engine.dialect.name}: give one for sqlite+aiosqlite")
    return engine


class PooledExecutor:
    """One transaction a call: no group commit here. Each call is a task of its own, so that cancelling its caller can't
    cut it in two (FLT-3)."""

    poll = timedelta(seconds=0.1)
    warnings: tuple[str, ...] = (
        "appends through an engine don't share commits: a path in place of the engine is faster",
    )

    def __init__(self, engine: AsyncEngine) -> None:
        self.bell = Bell()
        self._engine = engine
        self._place = engine.url.render_as_string(hide_password=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn = asyncio.Lock()
        self._is_shared = isinstance(engine.sync_engine.pool, StaticPool)
        """One connection for all, as `:memory:` has it: then reads wait for their turn too."""
        self._running: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._turn = _turns.setdefault(self._engine.sync_engine, asyncio.Lock())

    async def read(self, work: Work[T]) -> T:
        if self._is_shared:
            return await self._run(partial(self._in_turn, partial(_read, work)))
        return await self._run(partial(self._connected, partial(_read, work)))

    async def write(self, work: Work[T]) -> T:
        return await self._run(partial(self._in_turn, partial(self._write, work)))

    async def _run(self, call: Callable[[], Any]) -> Any:
        if self._loop is None:
            raise Closed("this SQLite adapter is not open")
        if asyncio.get_running_loop() is not self._loop:
            raise ConfigurationError(
                "an engine belongs to one event loop: give this one an adapter with an engine of its own, "
                "or open the database by its path, which works from any loop"
            )
        task = asyncio.ensure_future(call())
        self._running.add(task)
        task.add_done_callback(self._finished)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            while not task.done():
                with suppress(asyncio.CancelledError):  # once more: what was begun is ended first
                    await asyncio.wait([task])
            raise

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may have been cancelled and never ask

    async def _in_turn(self, call: Callable[[EngineConnection], T]) -> T:
        async with self._turn:  # one writer of ours at a time: waiting here is cheaper than at SQLite's lock
            return await self._connected(call)

    async def _connected(self, call: Callable[[EngineConnection], T]) -> T:
        try:
            async with self._engine.connect() as connection:
                return await connection.run_sync(call)
        except _DRIVER_ERRORS as error:
            raise translated(error, Phase.WORKING, self._place) from error

    def _write(self, work: Work[T], connection: EngineConnection) -> T:
        db = PooledConnection(connection)
        if not connection.info.get(_PREPARED):
            db.all("PRAGMA secure_delete = ON")
            connection.info[_PREPARED] = True
        _begin(connection, db)
        result = work(db)
        try:
            connection.commit()
        except _DRIVER_ERRORS as error:
            raise translated(error, Phase.COMMITTING, self._place) from error
        self.bell.ring()
        return result

    def look_out(self) -> None:
        """Nothing: pooled connections come and go, so watchers look for themselves at `poll`."""

    async def rewrite(self) -> bool:
        """Not ours to do: the file may hold other tables, and be of any size."""
        return False

    async def checkpoint(self) -> None:
        """Nothing: when its log is moved is the business of whoever owns the engine."""

    async def close(self) -> None:
        while self._running:
            await asyncio.wait(self._running)
        self._loop = None


def _read(work: Work[T], connection: EngineConnection) -> T:
    return work(PooledConnection(connection))


def _begin(connection: EngineConnection, db: PooledConnection) -> None:
    """BEGIN IMMEDIATE, whatever the engine's own hooks have begun: an empty deferred transaction holds no lock."""
    if not connection.in_transaction():
        connection.begin()
    driver: Any = connection.connection.driver_connection
    if driver.in_transaction:
        db.run("ROLLBACK")
    db.run("BEGIN IMMEDIATE")
