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
from agentkeep.spi.together import Sending
from agentkeep.spi.urls import redact
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import await_only, greenlet_spawn

from agentkeep_postgres.connections import Closings, OwnConnections
from agentkeep_postgres.drivers import Driver, ListeningConnection, Row, driver_of
from agentkeep_postgres.errors import cause_of, translated
from agentkeep_postgres.leases import Leases
from agentkeep_postgres.statements import Statement

T = TypeVar("T")


class Client:
    """One engine, with a pool for each event loop. No connection is held between calls (FLT-4)."""

    def __init__(self, engine: AsyncEngine, *, timeout: timedelta, own_connections: int | None = None) -> None:
        """`timeout` bounds each call, the wait for a connection included (FLT-5).

        `own_connections`: at most so many connections to an engine of ours; None: the engine is the caller's.
        """
        self.address = redact(engine.url.set(drivername="postgresql").render_as_string(hide_password=True))
        """The database's URL without its password, for error messages."""
        self.seconds = timeout.total_seconds()
        """The longest that a call may take."""
        self.behind_pooler = False
        """Whether a pooler in transaction mode stands between us and the server."""
        self.driver: Driver = driver_of(engine)
        self._engine = engine
        self._most = own_connections
        self._resend = Resend(server=self.address, cause=cause_of, translate=self._translated, seconds=self.seconds)
        self._opened_in: int | None = None
        """The process that opened the adapter."""
        self._home: asyncio.AbstractEventLoop | None = None
        """The event loop that opened the adapter."""
        self._closings = Closings(self.driver)
        self._at_home: OwnConnections | Leases = Leases(engine, self.driver, self._closings)
        """The connections of that loop."""
        self._elsewhere: WeakKeyDictionary[asyncio.AbstractEventLoop, Leases] = WeakKeyDictionary()

    def open(self) -> None:
        """Let this event loop be the one that keeps connections."""
        self._opened_in = os.getpid()
        self._home = asyncio.get_running_loop()
        if self._most is not None:
            self._at_home = OwnConnections(
                self._engine, self.driver, self._closings, most=self._most, seconds=self.seconds
            )

    async def close(self) -> None:
        """Close what was opened here. The connections of another event loop are closed in that loop, if it runs.

        What is being connected for a cancelled call is closed too: it takes `connect_timeout` at most, and never longer
        than a call.
        """
        self._opened_in = None
        here = asyncio.get_running_loop()
        used: list[tuple[asyncio.AbstractEventLoop, OwnConnections | Leases]] = [*self._elsewhere.items()]
        if self._home is not None and self._most is not None:
            used.append((self._home, self._at_home))
        for loop, connections in used:
            if loop is here:
                await connections.close()
            elif loop.is_running():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(connections.close(), loop))
        self._elsewhere.clear()
        await self._closings.wait(self.seconds)

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
        sending: Sending | None = None,
    ) -> Sequence[Row]:
        """Rows of a statement that writes.

        `resent`: values that replace the given ones if the statement is sent again and may have happened already.
        `sending`: of a call that may have waited, or was sent together with others.
        """
        return await self._run(effect, statement, values, resent, sending)

    async def _run(
        self,
        effect: Effect,
        statement: Statement,
        values: Mapping[str, object],
        resent: Mapping[str, object] | None = None,
        sending: Sending | None = None,
    ) -> Sequence[Row]:
        prepare = not (self.behind_pooler or statement.is_planned_each_time)

        async def send(attempt: Attempt) -> Sequence[Row]:
            changed = resent if attempt.may_have_run else None
            arguments = statement.arguments({**values, **changed} if changed else values)

            def fetch(connection: Any) -> Coroutine[Any, Any, Sequence[Row]]:
                return self.driver.fetch(connection, statement.text, arguments, prepare=prepare)

            # A write that must not be sent twice looks more closely for a dead connection.
            # One of several calls that were sent together needs no look: each of them can be sent again.
            return await self._connections().run(fetch, attempt, check=effect is Effect.ONCE and sending is None)

        if sending is None:
            return await self._resend.run(effect, send)
        return await self._resend.run(effect, send, deadline=sending.deadline, after_lost=sending.after_lost)

    async def call(self, work: Callable[[Any], T], *, is_bounded: bool = True) -> T:
        """Run `work`, a plain function that awaits by `await_only`, with a driver's connection. For opening.

        It is sent once more as a read is, so it must be all or nothing. `is_bounded`: by `timeout`.
        """
        resend = self._resend if is_bounded else self._unbounded()

        async def send(attempt: Attempt) -> T:
            return await self._connections().run(lambda held: greenlet_spawn(work, held), attempt, check=False)

        return await resend.run(Effect.READ, send)

    async def prepare(self, settings: Statement, *, behind_pooler: bool | None) -> None:
        """Run `settings` on all our own connections of the opening event loop, the later ones too. Not on a caller's.

        A pooler would pass them on to others, so behind it they are left out. `behind_pooler`: None asks the server,
        and the round trip that this takes runs the settings too.
        """
        ours = self._at_home if isinstance(self._at_home, OwnConnections) else None
        if behind_pooler is None:
            select = "SELECT 1" if ours is None else settings.text
            behind_pooler = await self.call(lambda held: await_only(self.driver.is_behind_pooler(held, select)))
        self.behind_pooler = behind_pooler
        if ours is not None and not behind_pooler:
            ours.settings = settings.text

    def _unbounded(self) -> Resend:
        return Resend(server=self.address, cause=cause_of, translate=self._translated, seconds=None)

    async def listen(
        self, channel: str, notify: Callable[[str], None], lost: Callable[[], None]
    ) -> ListeningConnection:
        """A connection outside the pool that listens: see `Driver.listen`. The caller must end it."""
        try:
            async with asyncio.timeout(self.seconds):
                lease = await self._for_one_call().connect()
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

    def _connections(self) -> OwnConnections | Leases:
        """Those of the running event loop: a connection works only in the loop that made it (LIFE-3).

        Only the loop that opened the adapter keeps connections. Another loop may end without notice, so each of its
        calls closes its connection.
        """
        self.check_usable()
        loop = asyncio.get_running_loop()
        if loop is self._home:
            return self._at_home
        connections = self._elsewhere.get(loop)
        if connections is None:
            connections = self._elsewhere[loop] = self._for_one_call()
        return connections

    def check_usable(self) -> None:
        """Raises `Closed`, or `ConfigurationError` in a forked process."""
        if self._opened_in is None:
            raise Closed("this postgres adapter is not open: call open() first")
        if self._opened_in != os.getpid():
            raise ConfigurationError(
                f"this postgres adapter was opened in process {self._opened_in} and can't be used in its fork "
                f"{os.getpid()}: open another one there"
            )

    def _for_one_call(self) -> Leases:
        pool = self._engine.sync_engine.pool.recreate()
        return Leases(self._engine, self.driver, self._closings, for_one_call=pool)
