"""How a script reaches Redis: one exchange on a pooled connection, and what follows if it fails. One server.

A cluster's client has the same methods, see `cluster.py`. Sentinel names one server: its client is this one.
"""

from __future__ import annotations

import asyncio
from asyncio import timeout_at
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import Any, NamedTuple, Protocol

from agentkeep.errors import Closed, ConfigurationError
from redis.asyncio import Redis
from redis.exceptions import RedisClusterException, ResponseError

from agentkeep_redis.driver import Command, Driver, Pool, Reply, ServerPool, send_and_read
from agentkeep_redis.errors import ANSWERS, DRIVER_ERRORS, TIMEOUTS, UNKNOWN_SCRIPT, error_of, unknown_outcome
from agentkeep_redis.statements import Call


class Effect(Enum):
    """What a second run of the same call does."""

    READS = "reads"
    REPEATABLE = "repeatable"
    """It writes, and the second run changes nothing and returns the same."""
    ONCE = "once"


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
        """The script's reply. Raises `Closed`, `Unavailable`, `OutcomeUnknown`, `Corrupt`, `ConfigurationError`."""
        ...

    async def run_many(self, calls: Sequence[Call]) -> list[Reply]:
        """Replies of many calls that may each run twice, in one exchange a server; in order on each server."""
        ...

    async def commands(self, key: bytes, commands: Sequence[Command], effect: Effect = Effect.READS) -> list[Reply]:
        """Commands of Redis itself in one exchange, on the server of a key; an error reply is returned in its place."""
        ...

    def new_connection(self, key: bytes) -> Any:
        """A connection of its own to the server of a key, not connected; whoever asked disconnects it."""
        ...


class Broken(Exception):
    """A connection failed. `sent`: the command may have run."""

    def __init__(self, cause: Exception, *, sent: bool) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.sent = sent


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


async def exchange(pool: Pool, deadline: float, commands: Sequence[Command]) -> list[Reply]:
    """Send the commands at once on one connection and read a reply for each, all before `deadline` (FLT-5).

    Raises `Broken`.
    """
    sent = False
    try:
        async with timeout_at(deadline), pool.limit:  # redis-py's own timeouts make a task for each command
            connection = await pool.acquire()
            try:
                sent = True
                return await send_and_read(connection, commands)
            finally:
                await pool.release(connection)
    except DRIVER_ERRORS as error:
        raise Broken(error, sent=sent and not isinstance(error, ANSWERS)) from error


async def run_script(pool: Pool, deadline: float, call: Call) -> Reply:
    """One script by its digest, or by its text if the server has forgotten it."""
    (reply,) = await exchange(pool, deadline, [call.by_digest()])
    if isinstance(reply, UNKNOWN_SCRIPT):
        (reply,) = await exchange(pool, deadline, [call.by_text()])
    return reply


async def run_scripts(pool: Pool, deadline: float, calls: Sequence[Call]) -> list[Reply]:
    commands = [call.by_digest() for call in calls]
    replies = await exchange(pool, deadline, commands)
    if any(isinstance(reply, UNKNOWN_SCRIPT) for reply in replies):
        loads: list[Command] = [("SCRIPT", "LOAD", text) for text in {call.script.text for call in calls}]
        replies = (await exchange(pool, deadline, [*loads, *commands]))[len(loads) :]
    return replies


async def send(attempt: Callable[[float], Awaitable[Reply]], effect: Effect, seconds: float, server: str) -> Reply:
    """The reply of an attempt, or of a second one if that is safe, within `seconds`.

    A write whose connection failed may have run. It is sent again only if that changes nothing, and if the second
    attempt does not succeed, nobody knows what the first one did (ERR-2). A write that timed out is never sent again.
    Raises `Unavailable`, `OutcomeUnknown`.
    """
    now = asyncio.get_running_loop().time()
    deadline = now + seconds
    try:
        # A read may have met a connection that fell silent while it was idle, so it keeps time for another one (FLT-2).
        return await attempt(now + seconds / 2 if effect is Effect.READS else deadline)
    except Broken as broken:
        may_have_run = broken.sent and effect is not Effect.READS
        if may_have_run and (effect is Effect.ONCE or isinstance(broken.cause, TIMEOUTS)):
            raise unknown_outcome(broken.cause, server) from broken.cause
    try:
        reply = await attempt(deadline)
    except Broken as broken:
        if may_have_run or (broken.sent and effect is not Effect.READS):
            raise unknown_outcome(broken.cause, server) from broken.cause
        raise error_of(broken.cause, server) from broken.cause
    if may_have_run and isinstance(reply, ResponseError):
        raise unknown_outcome(reply, server) from reply
    return reply


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
        assert isinstance(made.client, Redis)  # noqa: S101 - the adapter chooses the class by the client
        self._pool = ServerPool(made.client, owned=made.owned)
        self.server = self._pool.server
        self._under_way.open()

    async def close(self) -> None:
        await self._under_way.close()
        made, self._made = self._made, None
        if made is not None and made.owned:
            for client in (made.client, *made.others):
                with suppress(*DRIVER_ERRORS, RedisClusterException):
                    await client.aclose()

    async def run(self, call: Call, effect: Effect) -> Reply:
        with self._under_way:
            reply = await send(lambda by: run_script(self._pool, by, call), effect, self._seconds, self.server)
        return checked(reply, self.server, call.record)

    async def run_many(self, calls: Sequence[Call]) -> list[Reply]:
        if not calls:
            return []
        attempt = partial(self._run_scripts, calls)
        with self._under_way:
            replies = await send(attempt, Effect.READS, self._seconds, self.server)
        return [checked(reply, self.server, call.record) for call, reply in zip(calls, replies, strict=True)]

    async def _run_scripts(self, calls: Sequence[Call], deadline: float) -> list[Reply]:
        return await run_scripts(self._pool, deadline, calls)

    async def commands(self, key: bytes, commands: Sequence[Command], effect: Effect = Effect.READS) -> list[Reply]:
        with self._under_way:
            return await send(lambda by: exchange(self._pool, by, commands), effect, self._seconds, self.server)

    def new_connection(self, key: bytes) -> Any:
        return self._pool.new_connection()
