"""What differs between asyncpg and psycopg. Statements bypass SQLAlchemy's own execution, which costs more time."""

from __future__ import annotations

import selectors
from asyncio import CancelledError, Task, create_task, shield, wait
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple, Protocol, cast
from weakref import WeakKeyDictionary

from sqlalchemy.ext.asyncio import AsyncEngine

Row = Sequence[Any]

_CLOSE_SECONDS = 2.0
"""How long closing waits for the server to stop."""


class ListeningConnection(NamedTuple):
    """A connection that listens."""

    is_over: Callable[[], bool]
    end: Callable[[], object]
    """Closes the connection; does not wait."""


class Driver(Protocol):
    """One driver's connections. Each statement is a transaction of its own, unless a script began one."""

    def is_closed(self, connection: Any) -> bool:
        """Whether the driver itself knows that the connection is closed."""
        ...

    async def fetch(self, connection: Any, sql: str, arguments: Sequence[object], *, prepare: bool) -> Sequence[Row]:
        """All rows of one statement.

        `prepare`: each connection prepares the statement once. If not, the server plans for these arguments and nothing
        stays prepared on the connection. Use that behind a pooler, which may run each transaction on a different server
        connection; asyncpg needs one round trip more for it. After a cancelled call use `close` alone.
        """
        ...

    async def script(self, connection: Any, sql: str) -> None:
        """Several statements without arguments, in one transaction if none is open."""
        ...

    async def is_behind_pooler(self, connection: Any, select: str) -> bool:
        """Whether another server process answers than the driver was told when it connected. One round trip.

        If it is the same one, it runs `select`, which returns one row and names no table.
        """
        ...

    async def listen(
        self, connection: Any, channel: str, notify: Callable[[str], None], lost: Callable[[], None]
    ) -> ListeningConnection:
        """Call `notify` with the payload of each notification, and `lost` when the connection has ended.

        Use the connection for nothing else from now on.
        """
        ...

    async def close(self, connection: Any) -> None:
        """Close a connection that belongs to no pool, when the server has stopped to work on a cancelled call."""
        ...

    def end(self, connection: Any) -> None:
        """Close an idle connection without waiting."""
        ...


class AsyncpgDriver:
    def is_closed(self, connection: Any) -> bool:
        return connection.is_closed()

    async def fetch(self, connection: Any, sql: str, arguments: Sequence[object], *, prepare: bool) -> Sequence[Row]:
        if prepare:
            return await connection.fetch(sql, *arguments)
        # asyncpg ends the first trip with Flush, not Sync, so a pooler keeps the server connection for the second.
        statement = await connection.prepare(sql, name="")
        return await statement.fetch(*arguments)

    async def script(self, connection: Any, sql: str) -> None:
        await connection.execute(sql)

    async def is_behind_pooler(self, connection: Any, select: str) -> bool:
        pid = int(connection.get_server_pid())
        # Without arguments it is one simple query, which every pooler forwards whole. The tag says how many rows came.
        return await connection.execute(f"{select} WHERE pg_backend_pid() = {pid}") != "SELECT 1"

    async def listen(
        self, connection: Any, channel: str, notify: Callable[[str], None], lost: Callable[[], None]
    ) -> ListeningConnection:
        def receive(connection: Any, pid: int, channel: str, payload: str) -> None:
            notify(payload)

        def end(connection: Any) -> None:
            lost()

        await connection.add_listener(channel, receive)
        connection.add_termination_listener(end)
        return ListeningConnection(connection.is_closed, connection.terminate)

    async def close(self, connection: Any) -> None:
        with suppress(Exception):
            await connection.close(timeout=_CLOSE_SECONDS)

    def end(self, connection: Any) -> None:
        connection.terminate()


class PsycopgDriver:
    def __init__(self) -> None:
        self._cancelled: WeakKeyDictionary[Any, Task[Any]] = WeakKeyDictionary()

    def is_closed(self, connection: Any) -> bool:
        return connection.closed or _server_has_closed(connection)

    async def fetch(self, connection: Any, sql: str, arguments: Sequence[object], *, prepare: bool) -> Sequence[Row]:
        # Cancelled, psycopg waits up to 10 seconds for the server to stop. A task can go on without its caller.
        running = create_task(self._fetch(connection, sql, arguments, prepare))
        try:
            return await shield(running)
        except CancelledError:
            running.cancel()
            self._cancelled[connection] = running
            raise

    async def _fetch(self, connection: Any, sql: str, arguments: Sequence[object], prepare: bool) -> Sequence[Row]:
        from psycopg import AsyncRawCursor  # an extra: this class is used only if it is installed

        async with AsyncRawCursor[Any](connection) as cursor:
            cursor.adapters.register_loader("timestamptz", _utc_loader())
            # In binary no setting of the database, such as its DateStyle, changes what a value looks like.
            await cursor.execute(cast("Any", sql), arguments, prepare=prepare, binary=True)
            return await cursor.fetchall()

    async def script(self, connection: Any, sql: str) -> None:
        await connection.execute(sql)

    async def is_behind_pooler(self, connection: Any, select: str) -> bool:
        pid = int(connection.info.backend_pid)
        return not await self._fetch(connection, f"{select} WHERE pg_backend_pid() = {pid}", (), prepare=False)

    async def listen(
        self, connection: Any, channel: str, notify: Callable[[str], None], lost: Callable[[], None]
    ) -> ListeningConnection:
        async def receive() -> None:
            with suppress(Exception):  # the connection is lost
                async for notification in connection.notifies():
                    notify(notification.payload)
            lost()

        await connection.set_autocommit(True)  # a caller's engine has it off, and LISTEN would wait for the commit
        await connection.execute(f"LISTEN {channel}")
        receiving = create_task(receive())
        # Close the socket only when the task no longer uses it: its number may belong to another socket at once.
        receiving.add_done_callback(lambda _: self.end(connection))
        return ListeningConnection(receiving.done, receiving.cancel)

    async def close(self, connection: Any) -> None:
        running = self._cancelled.pop(connection, None)
        if running is not None:
            await wait({running}, timeout=_CLOSE_SECONDS)
            running.add_done_callback(lambda done: done.cancelled() or done.exception())
        self.end(connection)

    def end(self, connection: Any) -> None:
        connection.pgconn.finish()  # psycopg's own close is a coroutine that awaits nothing


def driver_of(engine: AsyncEngine) -> Driver:
    return PsycopgDriver() if engine.dialect.driver.startswith("psycopg") else AsyncpgDriver()


@cache
def _utc_loader() -> Any:
    """Reads `timestamptz` as UTC. psycopg's own loader depends on the connection's time zone and DateStyle."""
    from psycopg.adapt import Loader
    from psycopg.pq import Format

    epoch = datetime(2000, 1, 1, tzinfo=UTC)
    microsecond = timedelta(microseconds=1)

    class UtcLoader(Loader):
        """In binary: microseconds since 2000."""

        format = Format.BINARY

        def load(self, data: Any) -> datetime:
            return epoch + microsecond * int.from_bytes(data, "big", signed=True)

    return UtcLoader


def _server_has_closed(connection: Any) -> bool:
    """libpq does not read from an idle connection, so what the server said last has not been read yet."""
    from psycopg.errors import OperationalError

    with selectors.DefaultSelector() as selector:
        selector.register(connection.fileno(), selectors.EVENT_READ)
        while selector.select(0):  # first its last message, then the end, which stays readable and raises
            try:
                connection.pgconn.consume_input()
            except OperationalError:
                return True
    return False
