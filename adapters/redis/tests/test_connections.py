"""Connections: how long a call waits for one, how many there are, and to which event loop they belong."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from time import monotonic
from typing import Any

import agentkeep
import pytest
from agentkeep import ConfigurationError, Keep, NewMessage, OutcomeUnknown, Refused, Unavailable
from agentkeep.spi.resend import Effect
from agentkeep_conformance.proxy import Fault, Proxy
from agentkeep_conformance.servers.chosen import address_of
from agentkeep_redis import RedisAdapter, driver
from agentkeep_redis import client as client_module
from agentkeep_redis.statements import Call, Script
from redis.asyncio import Redis, RedisCluster
from redis.exceptions import ConnectionError as DriverConnectionError
from redis.exceptions import ResponseError

pytestmark = pytest.mark.anyio

_WATCHERS = 50


async def until(is_true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await is_true():  # noqa: ASYNC110 - it waits for the server
            await asyncio.sleep(0.05)


@pytest.fixture
async def keep(dsn: str, prefix: str) -> AsyncIterator[Keep]:
    async with agentkeep.connect(dsn, prefix=prefix) as keep:
        yield keep


async def test_the_wait_for_a_connection_is_within_the_timeout(dsn: str, prefix: str) -> None:
    """FLT-5: eight calls on one connection to a server that does not answer are all over after one timeout."""
    async with (
        Proxy(*address_of(dsn)) as proxy,
        agentkeep.connect(proxy.through(dsn), prefix=prefix, max_connections=1, timeout=0.5) as keep,
    ):
        await keep.sessions.create("s")
        proxy.arm(Fault.STALL_REPLY)
        started = monotonic()
        calls = [keep.messages.append("s", [NewMessage(role="user")]) for _ in range(8)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert monotonic() - started < 1.5
        proxy.restore()
    assert any(isinstance(error, OutcomeUnknown) for error in errors), "the one that was sent"
    assert any(type(error) is Unavailable for error in errors), "those that never got a connection"


async def test_a_node_that_is_silent_keeps_nobody_from_the_others(cluster_dsn: str, prefix: str) -> None:
    """FLT-5: each node has a connection limit of its own."""
    client: Any = RedisCluster.from_url(cluster_dsn.replace("redis+cluster://", "redis://"))
    async with (
        client,
        agentkeep.connect(cluster_dsn, prefix=prefix, max_connections=1) as keep,
    ):
        homes: dict[str, str] = {}
        for number in range(30):
            await keep.sessions.create(f"s{number}")
            key = RedisAdapter.from_url(cluster_dsn, prefix=prefix)._keys.session("default", f"s{number}")[0]  # pyright: ignore[reportPrivateUsage]
            homes[f"s{number}"] = client.get_node_from_key(key).name
        silent = homes["s0"]
        other = next(session for session, home in homes.items() if home != silent)
        await client.execute_command("CLIENT PAUSE", 1500, "ALL", target_nodes=client.get_node(node_name=silent))
        waiting = asyncio.create_task(keep.sessions.get("s0"))
        await asyncio.sleep(0.05)
        started = monotonic()
        assert (await keep.sessions.get(other)).id == other
        assert monotonic() - started < 1
        assert not waiting.done()
        assert (await waiting).id == "s0"


async def test_a_lost_reply_and_then_an_error_reply_is_unknown(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    """ERR-2: the server stored the message, its reply is lost, and it refuses the second, silent attempt."""
    await keep.sessions.create("s")
    send = driver.send_and_read
    calls = 0

    async def lose_then_refuse(connection: Any, commands: Any) -> list[Any]:
        nonlocal calls
        calls += 1
        if calls == 1:
            await send(connection, commands)
            await connection.disconnect(nowait=True)
            raise DriverConnectionError("Connection closed by server.")
        return [ResponseError("BUSY Redis is busy running a script.")]

    monkeypatch.setattr(client_module, "send_and_read", lose_then_refuse)
    with pytest.raises(OutcomeUnknown, match="BUSY"):
        await keep.messages.append("s", [NewMessage(role="user", id="m")])
    monkeypatch.undo()
    assert calls == 2
    assert (await keep.messages.get("s", "m")).seq == 1


async def test_a_fault_of_our_script_is_refused(dsn: str, prefix: str) -> None:
    """ERR-2: trying again will not help."""
    adapter = RedisAdapter.from_url(dsn, prefix=prefix)
    async with Keep(adapter):
        text = b"return nil + 1"
        call = Call(Script(text, b"0" * 40), [prefix.encode()], [])
        with pytest.raises(Refused):
            await adapter._client.run(call, Effect.ONCE)  # pyright: ignore[reportPrivateUsage]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_client_of_another_event_loop_is_said_so(dsn: str, prefix: str) -> None:
    """LIFE-3: asyncio's own error is not ours. (Nobody can close such a client's connection in peace.)"""
    client: Any = Redis.from_url(dsn)  # pyright: ignore[reportUnknownMemberType] - untyped by the driver
    loop = asyncio.new_event_loop()
    loop.run_until_complete(client.ping())

    async def use() -> None:
        with pytest.raises(ConfigurationError, match="one event loop"):
            await RedisAdapter(client, prefix=prefix).open()

    loop.close()
    asyncio.run(use())
    client = None
    gc.collect()


async def test_all_watchers_share_one_connection(keep: Keep, server: Any, prefix: str) -> None:
    """WATCH-2: and each hears of its own session."""
    heard: set[str] = set()

    async def watch(session_id: str) -> None:
        async for _ in keep.messages.watch(session_id, after_seq=0):
            heard.add(session_id)

    sessions = [f"s{number}" for number in range(_WATCHERS)]
    for session_id in sessions:
        await keep.sessions.create(session_id)
    before = len(await server.client_list(_type="pubsub"))
    tasks = [asyncio.create_task(watch(session_id)) for session_id in sessions]

    async def are_subscribed() -> bool:
        return len(await server.pubsub_channels(f"{prefix}:*")) == _WATCHERS

    async def have_heard() -> bool:
        return heard == set(sessions)

    async def are_gone() -> bool:
        return len(await server.client_list(_type="pubsub")) == before

    await until(are_subscribed)
    assert len(await server.client_list(_type="pubsub")) == before + 1
    for session_id in sessions:
        await keep.messages.append(session_id, [NewMessage(role="user")])
    await until(have_heard)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await until(are_gone)
