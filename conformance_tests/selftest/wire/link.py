"""The client's end: a small pool of connections, each lent for one request and its answer (FLT-3, FLT-4)."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

from agentkeep import Closed, ConfigurationError, OutcomeUnknown, Unavailable
from agentkeep.records import Scope

from .errors import from_wire
from .frames import VERBS, pack_request, read_frame, unpack_answer


class Interrupted(Exception):
    """The connection failed. `sent`: the server may have heard of the request.

    `stale`: a connection that had been idle stayed silent to a read, so it may have died meanwhile.
    """

    def __init__(self, cause: BaseException, *, sent: bool, stale: bool = False) -> None:
        super().__init__(str(cause) or type(cause).__name__)
        self.cause = cause
        self.sent = sent
        self.stale = stale


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.was_used = False

    @property
    def usable(self) -> bool:
        """False once the peer has ended it, as far as is known without asking."""
        ended = self._reader.at_eof() or self._reader.exception() is not None
        return not (ended or self._writer.is_closing())

    async def ask(self, frame: bytes) -> bytes:
        self._writer.write(frame)
        await self._writer.drain()
        return await read_frame(self._reader)

    def abort(self) -> None:
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            self.abort()


class Link:
    """All requests of one adapter. It belongs to the event loop that opened it (LIFE-3)."""

    def __init__(self, host: str, port: int, namespace: str, *, pool_size: int, timeout: float) -> None:
        self.address = (host, port)
        self.namespace = namespace
        self.timeout = timeout
        self.free = asyncio.Semaphore(pool_size)
        self.idle: list[Connection] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> None:
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        self._loop = None
        while self.idle:
            await self.idle.pop().close()

    async def call(self, verb: str, scope: Scope | None, *arguments: Any, again: tuple[Any, ...] | None = None) -> Any:
        """One verb. `again`: the arguments that make repeating it harmless, if there are any.

        Raises what the server answers, `Unavailable` where it was certainly not done, else `OutcomeUnknown`.
        """
        self._check_loop()
        try:
            return await self.ask(verb, scope, arguments)
        except Interrupted as first:
            if again is None or (isinstance(first.cause, TimeoutError) and not first.stale):
                raise self.lost(verb, first, sent=first.sent) from first.cause
            self.forget_idle()
            try:
                return await self.ask(verb, scope, again)
            except Interrupted as second:
                raise self.lost(verb, second, sent=first.sent or second.sent) from second.cause

    def forget_idle(self) -> None:
        """A connection failed just now, and others that were idle may have failed with it."""
        while self.idle:
            self.idle.pop().abort()

    def _check_loop(self) -> None:
        if self._loop is None:
            raise Closed("this wire adapter is not open")
        if self._loop is not asyncio.get_running_loop():
            raise ConfigurationError("this wire adapter was opened in another event loop: open one in each loop")

    def lost(self, verb: str, interrupted: Interrupted, *, sent: bool) -> Exception:
        if sent and VERBS[verb].writes:
            return OutcomeUnknown(f"{verb}: the connection failed before the answer came ({interrupted})")
        return Unavailable(f"{verb}: the server can't be reached ({interrupted})")

    async def ask(self, verb: str, scope: Scope | None, arguments: tuple[Any, ...]) -> Any:
        frame = pack_request(verb, self.namespace, scope, arguments)
        sent = stale = False
        try:
            async with asyncio.timeout(self.timeout), self.free:
                connection = await self.take()
                sent, stale = True, connection.was_used and not VERBS[verb].writes
                try:
                    async with asyncio.timeout(self.timeout / 2 if stale else None):
                        body = await connection.ask(frame)
                except BaseException:
                    connection.abort()
                    raise
                if self._loop is None:  # closed meanwhile
                    connection.abort()
                else:
                    connection.was_used = True
                    self.idle.append(connection)
        except (OSError, EOFError) as error:  # a timeout is an OSError
            raise Interrupted(error, sent=sent, stale=stale) from error
        error, result = unpack_answer(verb, body)
        if error is not None:
            raise from_wire(error, result)
        return result

    async def take(self) -> Connection:
        while self.idle:
            connection = self.idle.pop()
            if connection.usable:
                return connection
            connection.abort()
        return Connection(*await asyncio.open_connection(*self.address, limit=2**20))


async def ask_once(dsn: str, namespace: str, verb: str, scope: Scope | None = None, *arguments: Any) -> Any:
    """One request past the adapter, on a connection of its own."""
    parts = urlsplit(dsn)
    link = Link(parts.hostname or "", parts.port or 0, namespace, pool_size=1, timeout=30)
    link.open()
    try:
        return await link.call(verb, scope, *arguments)
    finally:
        await link.close()
