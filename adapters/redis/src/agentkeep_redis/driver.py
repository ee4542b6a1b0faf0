"""redis-py below its commands: connections, and what is taken from its pools.

redis-py's own commands are not used, because its clients send a command again if the reply was lost, and so write
twice. All that Agentkeep uses of redis-py's undocumented parts is in this file; `tests/test_driver.py` checks that the
installed version has each of them.
"""

from __future__ import annotations

from asyncio import Semaphore
from collections.abc import Callable, Sequence
from importlib import import_module
from inspect import signature
from typing import Any, Protocol, cast

import hiredis
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from agentkeep_redis.errors import DatabaseRefused

Driver = Redis | RedisCluster
"""What a caller hands in, or a URL leads to."""

Command = tuple[Any, ...]
Reply = Any

_pack = cast("Callable[[Command], bytes]", hiredis.pack_command)  # pyright: ignore[reportUnknownMemberType]


def _silent() -> dict[str, Any]:
    """Settings under which a new connection tells the server nothing about redis-py, and asks for no notifications."""
    connection: Any = AbstractConnection
    known = signature(connection.__init__).parameters
    settings: dict[str, Any] = {name: None for name in ("driver_info", "lib_name", "lib_version") if name in known}
    if "driver_info" in known:
        settings = {"driver_info": None}  # it replaces the two others
    if "maint_notifications_config" in known:
        config = import_module("redis.maint_notifications").MaintNotificationsConfig
        settings["maint_notifications_config"] = config(enabled=False)
    return settings


SILENT = _silent()


class Pool(Protocol):
    """The connections to one server."""

    limit: Semaphore
    """As many calls at a time as there may be connections."""

    async def acquire(self, *, new: bool) -> tuple[Any, bool]:
        """A connected connection, and whether it may have served an earlier call. Return it by `release`.

        `new`: one that has not.
        """
        ...

    async def release(self, connection: Any) -> None: ...


class ServerPool:
    """One server, or the primary that Sentinel names.

    A client of ours keeps its connections here between calls: each taking and giving back by redis-py's own pool writes
    telemetry, which costs an eighth of an append. A caller's client gets its connections back after each call (FLT-4).
    """

    def __init__(self, client: Redis, *, owned: bool) -> None:
        self._pool: Any = client.connection_pool
        self._idle: list[Any] | None = [] if owned else None
        self.limit = Semaphore(self._pool.max_connections)
        settings: dict[str, Any] = self._pool.connection_kwargs
        self._database: int = settings.get("db") or 0
        service = getattr(self._pool, "service_name", None)
        address = f"{settings.get('path') or settings.get('host')}:{settings.get('port', '')}"
        self.server = f"redis at {address}" if service is None else f"redis by Sentinel, service {service!r}"

    async def acquire(self, *, new: bool) -> tuple[Any, bool]:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_connected and not new and not was_closed(connection):
                return connection, True
            await connection.disconnect(nowait=True)
            await self._pool.release(connection)
        try:
            return await self._from_pool(new), self._idle is None and not new
        except ResponseError as error:
            # "ERR" stands for many errors. While a connection selects its database it is never a passing one.
            # (redis-py before 7.4 has no `status_code`; it has classes of their own for the errors that pass.)
            if self._database and type(error) is ResponseError and getattr(error, "status_code", "ERR") == "ERR":
                raise DatabaseRefused(f"database {self._database}: {error}") from error
            raise

    async def _from_pool(self, new: bool) -> Any:
        connection = await self._pool.get_connection()
        if was_closed(connection) or (new and self._idle is None):
            try:
                await connection.disconnect(nowait=True)
                await connection.connect()
            except BaseException:
                await self._pool.release(connection)
                raise
        return connection

    async def release(self, connection: Any) -> None:
        if self._idle is None:
            await self._pool.release(connection)
        else:
            self._idle.append(connection)

    def new_connection(self) -> Any:
        """A connection of its own, not connected. Whoever asked for it disconnects it."""
        return self._pool.make_connection()


class NodePool:
    """One node of a cluster. Its own pool does not check a connection before it returns it."""

    def __init__(self, node: ClusterNode, limit: Semaphore) -> None:
        self._node: Any = node
        self.limit = limit

    async def acquire(self, *, new: bool) -> tuple[Any, bool]:
        connection = self._node.acquire_connection()
        try:
            if connection.is_connected and (new or was_closed(connection)):
                await connection.disconnect(nowait=True)
            reused = connection.is_connected
            await connection.connect()
        except BaseException:
            self._node.release(connection)
            raise
        return connection, reused

    async def release(self, connection: Any) -> None:
        self._node.release(connection)

    def new_connection(self) -> Any:
        return self._node.connection_class(**self._node.connection_kwargs)


def was_closed(connection: Any) -> bool:
    """Whether the server has ended an idle connection. redis-py's own check notices an end of file, but not a reset."""
    return connection._writer.is_closing() or connection._reader.at_eof()


async def send_and_read(connection: Any, commands: Sequence[Command]) -> list[Reply]:
    """Send the commands at once and read a reply for each; an error reply is returned in its place.

    If anything fails, or the call is cancelled, the connection is closed: no later call may read its replies (FLT-3).
    """
    packed = [_pack(command) for command in commands]  # always UTF-8, whatever the caller's client encodes
    replies: list[Reply] = []
    try:
        await connection.send_packed_command(packed, check_health=False)
        for _ in commands:
            replies.append(await _reply(connection))
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    return replies


async def _reply(connection: Any) -> Reply:
    try:
        return await connection.read_response(disable_decoding=True)
    except ResponseError as error:
        return error


def send_command(connection: Any, *command: str) -> None:
    """Send without waiting, on a connection that is read elsewhere."""
    connection._writer.write(_pack(command))


async def read_push(connection: Any, seconds: float) -> Reply:
    """The next message of a subscription, or None after `seconds`. Raises what the driver does."""
    return await connection.read_response(
        disable_decoding=True, timeout=seconds, disconnect_on_error=False, push_request=True
    )
