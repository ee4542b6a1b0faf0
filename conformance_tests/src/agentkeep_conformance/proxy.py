"""A TCP proxy between an adapter and its server, that counts, and breaks connections at exact points.

A round trip is counted if a client starts to send after the server was last to speak, or on a new connection: what
a client sends in one go, in any number of packets, is one. It knows no database's protocol.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

_CHUNK = 256 * 1024


class Fault(Enum):
    """What befalls a round trip."""

    CUT_BEFORE_SEND = "the request never reaches the server, both ends see the connection break"
    CUT_BEFORE_REPLY = "the server has answered, the answer is lost, the connection breaks"
    CUT_MID_REPLY = "half of the first packet of the answer arrives, then the connection breaks"
    STALL_REQUEST = "the request is kept back, the connection stays up and silent"
    STALL_REPLY = "the answer is kept back, the connection stays up and silent"


@dataclass
class Plan:
    """The next fault: at the `nth` round trip from now whose first packet holds `contains`."""

    fault: Fault
    nth: int = 1
    contains: bytes = b""
    then_refuse: bool = False
    """Once it struck, break and refuse all connections until `restore`."""
    struck: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Traffic:
    """What went through since the last `reset`."""

    connections: int = 0
    round_trips: int = 0
    sent: int = 0
    """Bytes from clients to the server."""
    received: int = 0


class Proxy:
    """Stands before one server. Use it with `async with`; `through` returns the URL that leads over it."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._refusing = False
        self._plan: Plan | None = None
        self.delays: tuple[float, ...] = ()
        self.traffic = Traffic()
        self.released = asyncio.Event()
        """Set when what is stalled now may go on."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        links = list(self._links)
        for link in links:
            link.stop.set()
        await asyncio.gather(*(link.ended.wait() for link in links))

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        assert self._server is not None, "the proxy is not running"
        return self._server.sockets[0].getsockname()[:2]

    def through(self, dsn: str) -> str:
        """The URL `dsn` with the proxy's address in place of the server's."""
        parts = urlsplit(dsn)
        login = parts.netloc.rpartition("@")[0]
        netloc = "{}:{}".format(*self.address)
        return urlunsplit(parts._replace(netloc=f"{login}@{netloc}" if login else netloc))

    def arm(self, fault: Fault, *, nth: int = 1, contains: bytes = b"", then_refuse: bool = False) -> Plan:
        """Let one fault strike; an earlier one that did not yet is forgotten."""
        self._plan = Plan(fault, nth, contains, then_refuse)
        return self._plan

    def restore(self) -> None:
        """Forget the armed fault, let go of what is stalled, let new connections through."""
        self._plan = None
        self._refusing = False
        self.released.set()
        self.released = asyncio.Event()

    def slow(self, *seconds: float) -> None:
        """From now on each connection's next packet to the client waits so long, and the one after it the second time.

        The last time is for all packets after it. Without any, answers are quick again.
        """
        self.delays = seconds
        for link in self._links:
            link.delayed = 0

    def silence(self) -> None:
        """The connections that there are died, and nobody heard: what is sent on them waits for the next `restore`."""
        for link in self._links:
            link.is_silent = True

    def cut(self, besides: Collection[object] = ()) -> None:
        """Break all connections that there are, except those of an earlier `links`."""
        for link in self._links.difference(besides):
            link.abort()

    @property
    def links(self) -> frozenset[object]:
        """The connections that are open now."""
        return frozenset(self._links)

    def refuse(self) -> None:
        """Break all connections and refuse new ones until `restore`, as a server that is down does."""
        self._refusing = True
        self.cut()

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._links)

    def reset(self) -> None:
        """Begin to count anew."""
        self.traffic = Traffic()

    def strike(self, first_packet: bytes) -> Plan | None:
        """A round trip begins: is the armed fault due?"""
        plan = self._plan
        if plan is None or plan.contains not in first_packet:
            return None
        plan.nth -= 1
        if plan.nth > 0:
            return None
        self._plan = None
        return plan

    def struck(self, plan: Plan) -> None:
        """A fault has struck: tell who waits for it."""
        plan.struck.set()
        if plan.then_refuse:
            self.refuse()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            return reset(writer)
        try:
            upstream = await asyncio.open_connection(*self._target)
        except OSError:
            return reset(writer)
        self.traffic.connections += 1
        link = _Link(self, (reader, writer), upstream)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)
            link.ended.set()


class _Link:
    """One client's connection and ours to the server for it."""

    def __init__(
        self,
        proxy: Proxy,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._proxy = proxy
        self._from_client, self._to_client = client
        self._from_server, self._to_server = server
        self._server_spoke_last = True
        self._due: Plan | None = None
        self.is_silent = False
        self.delayed = 0
        """Packets of answers that had to wait since the last `slow`."""
        self.stop = asyncio.Event()
        self.ended = asyncio.Event()

    async def run(self) -> None:
        pumps = [asyncio.ensure_future(wait) for wait in (self._requests(), self._replies(), self.stop.wait())]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            await asyncio.gather(_close(self._to_client), _close(self._to_server))

    def abort(self) -> None:
        """A reset, not a polite end: both ends learn that the connection is gone for good."""
        for writer in (self._to_client, self._to_server):
            reset(writer)

    async def _requests(self) -> None:
        with suppress(OSError):
            while packet := await self._from_client.read(_CHUNK):
                if self._server_spoke_last:
                    self._server_spoke_last = False
                    self._proxy.traffic.round_trips += 1
                    self._due = self._proxy.strike(packet) or self._due
                self._proxy.traffic.sent += len(packet)
                if self.is_silent:
                    await self._proxy.released.wait()
                if self._due is not None and not await self._request_goes_on(self._due):
                    return
                self._to_server.write(packet)
                await self._to_server.drain()

    async def _request_goes_on(self, plan: Plan) -> bool:
        if plan.fault is Fault.CUT_BEFORE_SEND:
            return self._break(plan)
        if plan.fault is Fault.STALL_REQUEST:
            await self._stall(plan)
        return True

    async def _replies(self) -> None:
        with suppress(OSError):
            while packet := await self._from_server.read(_CHUNK):
                self._server_spoke_last = True
                self._proxy.traffic.received += len(packet)
                if self._due is not None and not await self._reply_goes_on(self._due, packet):
                    return
                if delays := self._proxy.delays[self.delayed :] or self._proxy.delays[-1:]:
                    self.delayed += 1
                    await asyncio.sleep(delays[0])
                self._to_client.write(packet)
                await self._to_client.drain()

    async def _reply_goes_on(self, plan: Plan, packet: bytes) -> bool:
        if plan.fault is Fault.CUT_BEFORE_REPLY:
            return self._break(plan)
        if plan.fault is Fault.CUT_MID_REPLY:
            self._to_client.write(packet[: len(packet) // 2])
            await self._to_client.drain()
            return self._break(plan)
        if plan.fault is Fault.STALL_REPLY:
            await self._stall(plan)
        return True

    def _break(self, plan: Plan) -> bool:
        if plan.fault is Fault.CUT_MID_REPLY:
            self._to_client.close()
            reset(self._to_server)
        else:
            self.abort()
        self._proxy.struck(plan)
        return False

    async def _stall(self, plan: Plan) -> None:
        self._due = None
        released = self._proxy.released
        self._proxy.struck(plan)
        await released.wait()


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection by a TCP reset: what is under way is lost (RFC 1122 calls it an abort)."""
    connection = writer.get_extra_info("socket")
    if connection is not None and not writer.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _close(writer: asyncio.StreamWriter) -> None:
    """End a connection politely; a peer that takes nothing more is cut off."""
    writer.close()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(1):
            await writer.wait_closed()
    writer.transport.abort()
