"""How a script reaches Redis: one exchange on a pooled connection, sent again only if that is safe. One server.

A cluster's client has the same methods, see `cluster.py`. Sentinel names one server: its client is this one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, Protocol

from agentkeep.errors import Closed, ConfigurationError
from agentkeep.spi.resend import Attempt, Effect, Resend
from redis.asyncio import Redis, RedisCluster
from redis.exceptions import RedisClusterException, ResponseError

from agentkeep_redis.driver import Command, Driver, Pool, Reply, ServerPool, send_and_read
from agentkeep_redis.errors import DRIVER_ERRORS, UNKNOWN_SCRIPT, cause_of, error_of
from agentkeep_redis.statements import Call


class DriverClient(NamedTuple):
    """A client of redis-py, what else must be closed with it, and whether we made it."""

    client: Driver
    others: Sequence[Redis] = ()
    owned: bool = False


class RedisClient(Protocol):
    """What the repositories send their calls through."""

    server: str
    """Names the server in error messages; without a password (ERR-3)."""
    is_cluster: bool
    """Keys with different hash tags may be on different servers."""

    async def open(self) -> None:
        """Raises `Unavailable`, `ConfigurationError`."""
        ...

    async def close(self) -> None:
        """Let no new call begin, wait for those under way, and close what is ours."""
        ...

    async def run(self, call: Call, effect: Effect) -> Reply:
        """The script's reply. Raises `Closed` and what `agentkeep_redis.errors` makes of Redis's errors."""
        ...

    async def run_many(self, calls: Sequence[Call]) -> list[Reply]:
        """Replies of many calls that may each run twice, in one exchange a server; in order on each server."""
        ...

    async def commands(self, key: bytes, commands: Sequence[Command], effect: Effect = Effect.READ) -> list[Reply]:
        """Commands of Redis itself in one exchange, on the server of a key; an error reply is returned in its place."""
        ...

    def new_connection(self, key: bytes) -> Any:
        """A connection of its own to the server of a key, not connected; whoever asked disconnects it."""
        ...


class CallsUnderWay:
    """Counts the calls between `open` and `close`, which all run in one event loop (LIFE-2, LIFE-3)."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._count = 0
        self._none_left = asyncio.Event()

    def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._none_left = asyncio.Event()

    def __enter__(self) -> None:
        if self._loop is None:
            raise Closed("this redis adapter is not open: call open() first")
        if asyncio.get_running_loop() is not self._loop:
            raise ConfigurationError("this redis adapter was opened in another event loop: make one in each loop")
        self._count += 1

    def __exit__(self, *_: object) -> None:
        self._count -= 1
        if self._loop is None and self._count == 0:
            self._none_left.set()

    async def close(self) -> None:
        self._loop = None
        if self._count:
            await self._none_left.wait()


async def exchange(pool: Pool, attempt: Attempt, commands: Sequence[Command]) -> list[Reply]:
    """Send the commands at once on one connection and read a reply for each. Raises what the driver does."""
    async with pool.limit:
        connection, reused = await pool.acquire(new=attempt.needs_new_connection)
        try:
            attempt.sending(reused=reused)
            return await send_and_read(connection, commands)
        finally:
            await pool.release(connection)


async def run_script(pool: Pool, attempt: Attempt, call: Call) -> Reply:
    """One script by its digest, or by its text if the server has forgotten it."""
    (reply,) = await exchange(pool, attempt, [call.by_digest()])
    if isinstance(reply, UNKNOWN_SCRIPT):
        attempt.did_nothing()
        (reply,) = await exchange(pool, attempt, [call.by_text()])
    return reply


async def run_scripts(pool: Pool, attempt: Attempt, calls: Sequence[Call]) -> list[Reply]:
    commands = [call.by_digest() for call in calls]
    replies = await exchange(pool, attempt, commands)
    if any(isinstance(reply, UNKNOWN_SCRIPT) for reply in replies):
        loads: list[Command] = [("SCRIPT", "LOAD", text) for text in {call.script.text for call in calls}]
        replies = (await exchange(pool, attempt, [*loads, *commands]))[len(loads) :]
    return replies


def resend_policy(server: str, seconds: float) -> Resend:
    return Resend(server=server, cause=cause_of, translate=partial(error_of, server=server), seconds=seconds)


def checked(reply: Reply, server: str, record: str = "") -> Reply:
    """The reply. Raises the error of ours that an error reply stands for."""
    if isinstance(reply, ResponseError):
        raise error_of(reply, server, record) from reply
    return reply


class ServerClient:
    """One server, or the primary that Sentinel names."""

    is_cluster = False

    def __init__(self, make: Callable[[], DriverClient], seconds: float) -> None:
        """`make` returns a client for each opening. `seconds`: how long one call may take (FLT-5)."""
        self._make = make
        self._seconds = seconds
        self._under_way = CallsUnderWay()
        self._made: DriverClient | None = None
        self.server = "redis"

    async def open(self) -> None:
        made = self._made = self._make()
        if isinstance(made.client, RedisCluster):
            raise TypeError("a RedisCluster needs a ClusterClient")
        self._pool = ServerPool(made.client, owned=made.owned)
        self.server = self._pool.server
        self._resend = resend_policy(self.server, self._seconds)
        self._under_way.open()

    async def close(self) -> None:
        await self._under_way.close()
        made, self._made = self._made, None
        if made is not None and made.owned:
            for client in (made.client, *made.others):
                with suppress(*DRIVER_ERRORS, RedisClusterException):
                    await client.aclose()

    async def run(self, call: Call, effect: Effect) -> Reply:
        async def send(attempt: Attempt) -> Reply:
            return checked(await run_script(self._pool, attempt, call), self.server, call.record)

        with self._under_way:
            return await self._resend.run(effect, send)

    async def run_many(self, calls: Sequence[Call]) -> list[Reply]:
        async def send(attempt: Attempt) -> list[Reply]:
            replies = await run_scripts(self._pool, attempt, calls)
            return [checked(reply, self.server, call.record) for call, reply in zip(calls, replies, strict=True)]

        with self._under_way:
            return await self._resend.run(Effect.READ, send) if calls else []

    async def commands(self, key: bytes, commands: Sequence[Command], effect: Effect = Effect.READ) -> list[Reply]:
        with self._under_way:
            return await self._resend.run(effect, lambda attempt: exchange(self._pool, attempt, commands))

    def new_connection(self, key: bytes) -> Any:
        return self._pool.new_connection()
