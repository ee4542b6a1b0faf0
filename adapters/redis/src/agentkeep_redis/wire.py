"""Commands on the wire: one exchange at a time on a pooled connection, with what is known when it fails.

The driver's `execute_command` is not used, because it sends a command again whose reply was lost, and so writes twice.
Here a command is repeated only where it can't have run, or where running it twice is the same as once.
"""

from __future__ import annotations

from asyncio import Event, Semaphore, timeout
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Any, NamedTuple, Protocol, cast

import hiredis
from agentkeep.errors import Closed
from redis.exceptions import ResponseError

from agentkeep_redis.errors import ANSWERED, DRIVER_ERRORS, TIMEOUTS, lost, refused
from agentkeep_redis.scripts import Script


class Effect(Enum):
    """What a second run of the same call does."""

    READS = "reads"
    REPEATABLE = "repeatable"
    """It writes, and the second run changes nothing and answers the same."""
    ONCE = "once"


class Call(NamedTuple):
    """One script with its keys, all in one slot, and its arguments."""

    script: Script
    keys: Sequence[bytes]
    args: Sequence[bytes | str]
    record: str = ""
    """What is corrupt if the script can't read it: "session 's1'"."""

    def by_digest(self) -> tuple[Any, ...]:
        return ("EVALSHA", self.script.sha, len(self.keys), *self.keys, *self.args)

    def by_text(self) -> tuple[Any, ...]:
        return ("EVAL", self.script.text, len(self.keys), *self.keys, *self.args)


Command = tuple[Any, ...]
_pack = cast("Callable[[Command], bytes]", hiredis.pack_command)  # pyright: ignore[reportUnknownMemberType]
Reply = Any


class Broken(Exception):
    """A connection failed; `sent`: the command may have run."""

    def __init__(self, cause: Exception, *, sent: bool) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.sent = sent


class Node(Protocol):
    """A server with a pool of connections."""

    async def acquire(self) -> Any: ...
    async def release(self, connection: Any) -> None: ...


class Gate:
    """Lets as many exchanges in at once as there may be connections, and after `close` none."""

    def __init__(self, limit: int, seconds: float) -> None:
        """`seconds`: how long one exchange may take, connecting included."""
        self.seconds = seconds
        self._free = Semaphore(limit)
        self._busy = 0
        self._closed = False
        self._idle = Event()

    async def __aenter__(self) -> None:
        await self._free.acquire()
        if self._closed:
            self._free.release()
            raise Closed("this redis adapter was closed meanwhile; nothing was sent")
        self._busy += 1

    async def __aexit__(self, *_: object) -> None:
        self._free.release()
        self._busy -= 1
        if self._closed and self._busy == 0:
            self._idle.set()

    async def close(self) -> None:
        """Wait for the exchanges that have begun, which end within the driver's timeouts."""
        self._closed = True
        if self._busy:
            await self._idle.wait()


def is_dead(connection: Any) -> bool:
    """Whether the server ended an idle connection. The driver's own check sees an end, but not a reset."""
    return connection.is_connected and connection._writer.is_closing()


async def exchange(node: Node, gate: Gate, commands: Sequence[Command]) -> list[Reply]:
    """Send the commands at once and read a reply for each; an error reply stands in its place.

    A cancelled exchange closes its connection, so that no later call reads a reply that was not for it (FLT-3).
    Raises `Broken`, `Closed`.
    """
    async with gate:
        connection = None
        try:
            async with timeout(gate.seconds):  # the driver's own timeouts make a task for each command
                connection = await node.acquire()
                return await _talk(connection, commands)
        except DRIVER_ERRORS as error:
            raise Broken(error, sent=connection is not None and not isinstance(error, ANSWERED)) from error
        finally:
            if connection is not None:
                await node.release(connection)


async def _talk(connection: Any, commands: Sequence[Command]) -> list[Reply]:
    packed = [_pack(command) for command in commands]  # always UTF-8, whatever the caller's client encodes
    await connection.send_packed_command(packed, check_health=False)
    replies: list[Reply] = []
    try:
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


async def twice(send: Callable[[], Awaitable[Reply]], effect: Effect, place: str) -> Reply:
    """The reply of `send`, tried a second time where that is safe, but no write after it was waited for in vain.

    Raises `Unavailable`, `OutcomeUnknown`.
    """
    try:
        return await send()
    except Broken as broken:
        maybe = broken.sent and effect is not Effect.READS
        if maybe and (effect is Effect.ONCE or isinstance(broken.cause, TIMEOUTS)):
            raise lost(broken.cause, place) from broken.cause
    try:
        return await send()
    except Broken as broken:
        if maybe or (broken.sent and effect is not Effect.READS):
            raise lost(broken.cause, place) from broken.cause
        raise refused(broken.cause, place) from broken.cause
