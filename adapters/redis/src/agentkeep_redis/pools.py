"""The driver's pools without the telemetry that they write at each taking and giving back, a tenth of a call's time."""

from __future__ import annotations

from typing import Any

from redis.asyncio import ConnectionPool
from redis.asyncio.sentinel import SentinelConnectionPool


class _Plain:
    """Takes and gives back in one step of the event loop, so there is nothing to lock."""

    _available_connections: list[Any]
    _in_use_connections: set[Any]

    async def get_connection(self) -> Any:
        """A connected connection. Raises what the driver does."""
        pool: Any = self
        connection = pool.get_available_connection()
        try:
            if not connection.is_connected or await connection.can_read():
                await pool.ensure_connection(connection)
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def release(self, connection: Any) -> None:
        self._in_use_connections.remove(connection)
        if connection.should_reconnect():
            await connection.disconnect()
        self._available_connections.append(connection)


class PlainPool(_Plain, ConnectionPool):  # pyright: ignore[reportIncompatibleMethodOverride, reportUnsafeMultipleInheritance]
    """One server's."""


class PlainSentinelPool(_Plain, SentinelConnectionPool):  # pyright: ignore[reportIncompatibleMethodOverride, reportUnsafeMultipleInheritance]
    """The primary's, as the Sentinels name it."""
