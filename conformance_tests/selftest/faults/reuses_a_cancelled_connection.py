"""A cancelled call gives its connection back with the answer still on its way: the next call reads it as its own.

asyncpg#537; the ChatGPT outage of March 2023 by redis-py#2624: users saw each other's data.
"""

import asyncio

from over_wire import OverWire
from wire.link import Connection, Link

FAMILY = "cancellation"
CLAUSE = "FLT-3"


class Reused(Connection):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link) -> None:
        super().__init__(reader, writer)
        self._link = link

    def abort(self) -> None:
        if self.usable:
            self._link.idle.append(self)
        else:
            super().abort()


class Reusing(Link):
    async def take(self) -> Connection:
        connection = await super().take()
        return connection if isinstance(connection, Reused) else self._marked(connection)

    def _marked(self, connection: Connection) -> Connection:
        return Reused(connection._reader, connection._writer, self)  # pyright: ignore[reportPrivateUsage]


class TestFault(OverWire):
    link = Reusing
