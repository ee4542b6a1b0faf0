"""What differs between the two drivers. Statements reach them below SQLAlchemy's own execution, which costs more."""

from __future__ import annotations

import selectors
from asyncio import create_task, timeout
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol, cast

Row = Sequence[Any]


class Listening(NamedTuple):
    """A connection that listens."""

    is_over: Callable[[], bool]
    end: Callable[[], object]
    """Closes the connection; does not wait."""


class Driver(Protocol):
    """One driver's connections. Each statement is a transaction of its own, unless `begin` was called."""

    def is_closed(self, connection: Any) -> bool:
        """Whether the driver itself knows that the connection is gone."""
        ...

    async def fetch(self, connection: Any, sql: str, arguments: Sequence[object]) -> Sequence[Row]:
        """All rows of one statement, sent so that it is prepared once a connection."""
        ...

    async def fetch_unnamed(self, connection: Any, sql: str, arguments: Sequence[object]) -> Sequence[Row]:
        """As `fetch`, but planned for these very arguments, and nothing stays on the server connection.

        So it is right behind a pooler that gives each transaction another one. With asyncpg it takes a trip more.
        """
        ...

    async def script(self, connection: Any, sql: str) -> None:
        """Several statements without arguments, in one transaction where none is open."""
        ...

    async def behind_pooler(self, connection: Any) -> bool:
        """Whether the server process is another one than the driver was told when it connected. One round trip."""
        ...

    async def listen(self, connection: Any, channel: str, heard: Callable[[str], None]) -> Listening:
        """Call `heard` with the payload of each notification. The connection is for nothing else from now on."""
        ...

    def end(self, connection: Any) -> None:
        """Close a connection that is no pool's and that nobody uses, without waiting."""
        ...


class Asyncpg:
    def is_closed(self, connection: Any) -> bool:
        return connection.is_closed()

    async def fetch(self, connection: Any, sql: str, arguments: Sequence[object]) -> Sequence[Row]:
        return await connection.fetch(sql, *arguments)

    async def fetch_unnamed(self, connection: Any, sql: str, arguments: Sequence[object]) -> Sequence[Row]:
        # asyncpg ends the first trip by Flush, not Sync: a pooler keeps the server connection until the second is over
        statement = await connection.prepare(sql, name="")
        return await statement.fetch(*arguments)

    async def script(self, connection: Any, sql: str) -> None:
        await connection.execute(sql)

    async def behind_pooler(self, connection: Any) -> bool:
        pid = int(connection.get_server_pid())
        # without arguments it goes as one simple query, which every pooler forwards whole; the tag counts the rows
        return await connection.execute(_SAME_PROCESS.replace(":pid", str(pid))) != "SELECT 1"

    async def listen(self, connection: Any, channel: str, heard: Callable[[str], None]) -> Listening:
        def called(connection: Any, pid: int, channel: str, payload: str) -> None:
            heard(payload)

        await connection.add_listener(channel, called)
        return Listening(connection.is_closed, connection.terminate)

    def end(self, connection: Any) -> None:
        connection.terminate()


class Psycopg:
    def __init__(self, command_timeout: float | None = None) -> None:
        """`command_timeout` in seconds: psycopg itself has none. The caller's engine keeps its caller's habits."""
        self._command_timeout = command_timeout

    def is_closed(self, connection: Any) -> bool:
        return connection.closed or _has_ended(connection)

    async def fetch(self, connection: Any, sql: str, arguments: Sequence[object]) -> Sequence[Row]:
        return await self._fetch(connection, sql, arguments, prepare=True)

    async def fetch_unnamed(self, connection: Any, sql: str, arguments: Sequence[object]) -> Sequence[Row]:
        return await self._fetch(connection, sql, arguments, prepare=False)

    async def _fetch(self, connection: Any, sql: str, arguments: Sequence[object], *, prepare: bool) -> Sequence[Row]:
        from psycopg import AsyncRawCursor  # an extra: this class is used only where it is installed

        from agentkeep_postgres.psycopg_times import UtcLoader

        async with timeout(self._command_timeout), AsyncRawCursor[Any](connection) as cursor:
            cursor.adapters.register_loader("timestamptz", UtcLoader)
            # in binary no setting of the database, such as its DateStyle, changes what an answer looks like
            await cursor.execute(cast("Any", sql), arguments, prepare=prepare, binary=True)
            return await cursor.fetchall()

    async def script(self, connection: Any, sql: str) -> None:
        await connection.execute(sql)

    async def behind_pooler(self, connection: Any) -> bool:
        pid = int(connection.info.backend_pid)
        rows = await self.fetch_unnamed(connection, _SAME_PROCESS.replace(":pid", str(pid)), ())
        return not rows

    async def listen(self, connection: Any, channel: str, heard: Callable[[str], None]) -> Listening:
        async def pass_on() -> None:
            with suppress(Exception):  # the connection is gone: whoever waits polls, and listens anew
                async for notification in connection.notifies():
                    heard(notification.payload)

        await connection.set_autocommit(True)  # a caller's engine has it off, and LISTEN would wait for the commit
        await connection.execute(f"LISTEN {channel}")
        passing_on = create_task(pass_on())
        # not before the task has let go of the socket, whose number may be another's at once
        passing_on.add_done_callback(lambda _: self.end(connection))
        return Listening(passing_on.done, passing_on.cancel)

    def end(self, connection: Any) -> None:
        connection.pgconn.finish()  # psycopg's own close is a coroutine that awaits nothing


def _has_ended(connection: Any) -> bool:
    """libpq does not look at an idle connection: what the server said last, perhaps its goodbye, waits to be read."""
    from psycopg.errors import OperationalError

    with selectors.DefaultSelector() as selector:
        selector.register(connection.fileno(), selectors.EVENT_READ)
        while selector.select(0):  # the goodbye first, then the end, which stays readable and raises
            try:
                connection.pgconn.consume_input()
            except OperationalError:
                return True
    return False


_SAME_PROCESS = "SELECT 1 WHERE pg_backend_pid() = :pid"
