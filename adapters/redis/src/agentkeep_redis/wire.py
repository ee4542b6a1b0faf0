"""Commands on the wire: one exchange at a time on a pooled connection, with what is known when it fails.

The driver's `execute_command` is not used, because it sends a command again whose reply was lost, and so writes twice.
Here a command is repeated only where it can't have run, or where running it twice is the same as once.
"""

from __future__ import annotations

from asyncio import Semaphore
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Any, NamedTuple, Protocol

from redis.exceptions import ResponseError

from agentkeep_redis.errors import ANSWERED, CONNECTION_ERRORS, DRIVER_ERRORS, lost, refused
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


async def exchange(node: Node, limit: Semaphore, commands: Sequence[Command]) -> list[Reply]:
    """Send the commands at once and read a reply for each; an error reply stands in its place. Raises `Broken`.

    A cancelled exchange closes its connection, so that no later call reads a reply that was not for it (FLT-3); the
    driver does so for every exception but an error reply.
    """
    async with limit:
        try:
            connection = await node.acquire()
        except DRIVER_ERRORS as error:
            raise Broken(error, sent=False) from error
        try:
            return await _talk(connection, commands)
        except CONNECTION_ERRORS as error:
            raise Broken(error, sent=not isinstance(error, ANSWERED)) from error
        finally:
            await node.release(connection)


async def _talk(connection: Any, commands: Sequence[Command]) -> list[Reply]:
    await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
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
    """The reply of `send`, tried a second time where that is safe. Raises `Unavailable`, `OutcomeUnknown`."""
    try:
        return await send()
    except Broken as broken:
        maybe = broken.sent and effect is not Effect.READS
        if maybe and effect is Effect.ONCE:
            raise lost(broken.cause, place) from broken.cause
    try:
        return await send()
    except Broken as broken:
        if maybe or (broken.sent and effect is not Effect.READS):
            raise lost(broken.cause, place) from broken.cause
        raise refused(broken.cause, place) from broken.cause
