"""The proxy does what the fault families rely on: each cut strikes where it says, and counts are exact."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest
from agentkeep_conformance.proxy import Fault, Proxy

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Echo:
    """Answers each line with it, in capitals, and remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                self.heard.append(line)
                writer.write(line.upper())
                await writer.drain()
        writer.close()


@asynccontextmanager
async def echo_behind_proxy() -> AsyncGenerator[tuple[Echo, Proxy], None]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0, limit=2**23)
    try:
        async with Proxy(*server.sockets[0].getsockname()[:2]) as proxy:
            yield echo, proxy
    finally:
        server.close()


async def ask(proxy: Proxy, *lines: bytes) -> bytes:
    """Send lines, each after the answer to the one before; what came back in all."""
    reader, writer = await asyncio.open_connection(*proxy.address)
    answer = b""
    try:
        for line in lines:
            writer.write(line)
            answer += await asyncio.wait_for(reader.readline(), 5)
        return answer
    except ConnectionError:
        return answer
    finally:
        writer.close()


async def test_it_forwards_and_counts() -> None:
    async with echo_behind_proxy() as (echo, proxy):
        assert await ask(proxy, b"one\n", b"two\n", b"three\n") == b"ONE\nTWO\nTHREE\n"
        assert echo.heard == [b"one\n", b"two\n", b"three\n"]
        traffic = proxy.traffic
        assert (traffic.connections, traffic.round_trips, traffic.sent, traffic.received) == (1, 3, 14, 14)
        proxy.reset()
        assert proxy.traffic.round_trips == 0


async def test_what_is_sent_in_one_go_is_one_round_trip() -> None:
    async with echo_behind_proxy() as (_, proxy):
        reader, writer = await asyncio.open_connection(*proxy.address)
        line = b"a" * 3_000_000 + b"\n"
        writer.write(line)
        assert await asyncio.wait_for(reader.readexactly(len(line)), 20) == line.upper()
        assert proxy.traffic.round_trips == 1
        assert proxy.traffic.sent == len(line)
        writer.close()


@pytest.mark.parametrize(
    ("fault", "answer", "heard"),
    [
        (Fault.CUT_BEFORE_SEND, b"ONE\n", [b"one\n"]),
        (Fault.CUT_BEFORE_REPLY, b"ONE\n", [b"one\n", b"two\n"]),
        (Fault.CUT_MID_REPLY, b"ONE\nTW", [b"one\n", b"two\n"]),
    ],
)
async def test_a_cut_strikes_the_nth_round_trip(fault: Fault, answer: bytes, heard: list[bytes]) -> None:
    async with echo_behind_proxy() as (echo, proxy):
        plan = proxy.arm(fault, nth=2)
        assert await ask(proxy, b"one\n", b"two\n", b"three\n") == answer
        assert echo.heard == heard
        assert plan.struck.is_set()
        assert await ask(proxy, b"four\n") == b"FOUR\n"


async def test_a_cut_waits_for_the_request_that_it_names() -> None:
    async with echo_behind_proxy() as (echo, proxy):
        proxy.arm(Fault.CUT_BEFORE_REPLY, contains=b"wo")
        assert await ask(proxy, b"one\n", b"two\n") == b"ONE\n"
        assert echo.heard == [b"one\n", b"two\n"]


@pytest.mark.parametrize("fault", [Fault.STALL_REQUEST, Fault.STALL_REPLY])
async def test_a_stall_lasts_until_it_is_let_go(fault: Fault) -> None:
    async with echo_behind_proxy() as (echo, proxy):
        reader, writer = await asyncio.open_connection(*proxy.address)
        for line in (b"one\n", b"two\n"):
            echo.heard.clear()
            plan = proxy.arm(fault)
            writer.write(line)
            answer = asyncio.ensure_future(reader.readline())
            await asyncio.wait_for(plan.struck.wait(), 5)
            assert not answer.done()
            assert echo.heard == ([] if fault is Fault.STALL_REQUEST else [line])
            proxy.restore()
            assert await asyncio.wait_for(answer, 5) == line.upper()
        writer.close()


async def test_a_server_that_is_down_refuses_until_it_is_back() -> None:
    async with echo_behind_proxy() as (_, proxy):
        proxy.arm(Fault.CUT_BEFORE_REPLY, then_refuse=True)
        assert await ask(proxy, b"one\n") == b""
        assert await ask(proxy, b"one\n") == b""
        proxy.restore()
        assert await ask(proxy, b"one\n") == b"ONE\n"


async def test_cut_breaks_an_idle_connection() -> None:
    async with echo_behind_proxy() as (_, proxy):
        reader, writer = await asyncio.open_connection(*proxy.address)
        writer.write(b"one\n")
        assert await reader.readline() == b"ONE\n"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 5)
        writer.close()


async def test_a_delay_delays_and_loses_nothing() -> None:
    async with echo_behind_proxy() as (_, proxy):
        proxy.slow(0.02)
        assert await ask(proxy, b"one\n", b"two\n") == b"ONE\nTWO\n"


async def test_the_url_leads_over_the_proxy() -> None:
    async with echo_behind_proxy() as (_, proxy):
        host, port = proxy.address
        assert proxy.through("x://u:p%40@db:1/name?a=b") == f"x://u:p%40@{host}:{port}/name?a=b"
        assert proxy.through("x://db/name") == f"x://{host}:{port}/name"
