"""The index of one server: its pending rows, and what a database full of other people's keys costs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from typing import Any

import agentkeep
import pytest
from agentkeep import Keep, NewMessage, Unavailable
from agentkeep_conformance.listed_tenants import check_tenants_are_listed
from agentkeep_conformance.outcomes import dsn_of
from agentkeep_conformance.proxy import Proxy
from agentkeep_conformance.servers import REDIS_MEMORY
from agentkeep_conformance.servers.chosen import address_of
from redis.asyncio import Redis

pytestmark = pytest.mark.anyio

_MOST_PENDING = 64
_EXPIRED = 3_000
_FOREIGN = 1_000_000
_FILL = "for n = tonumber(ARGV[2]), tonumber(ARGV[3]) do redis.call('SET', ARGV[1] .. n, '') end"
_EMPTY = "for n = tonumber(ARGV[2]), tonumber(ARGV[3]) do redis.call('UNLINK', ARGV[1] .. n) end"


@pytest.fixture
async def keep(dsn: str, prefix: str) -> AsyncIterator[Keep]:
    async with agentkeep.connect(dsn, prefix=prefix) as keep:
        yield keep


async def pending_rows(server: Any, prefix: str) -> int:
    keys = [key async for key in server.scan_iter(match=f"{prefix}:*:pending", count=10_000)]
    return sum([await server.hlen(key) for key in keys])


async def test_a_listing_is_exact_however_much_is_pending(keep: Keep, server: Any, prefix: str) -> None:
    """ORD-5: appends leave their rows for whoever reads the index next, but never more than so many."""
    numbers = range(3 * _MOST_PENDING)
    for number in numbers:
        await keep.sessions.create(f"s{number}", user_id=f"u{number % 2}")
        assert await pending_rows(server, prefix) <= _MOST_PENDING
    assert await keep.sessions.count(user_id="u1") == len(numbers) / 2
    assert await pending_rows(server, prefix) == 0
    for number in reversed(numbers):
        await keep.messages.append(f"s{number}", [NewMessage(role="user")])
    assert 0 < await pending_rows(server, prefix) <= _MOST_PENDING
    newest_first = [session.id async for session in keep.sessions.iterate(order="-updated_at")]
    assert newest_first == [f"s{number}" for number in numbers]
    assert await pending_rows(server, prefix) == 0


async def test_a_deleted_session_leaves_nothing_pending(keep: Keep, server: Any, prefix: str) -> None:
    """SES-6."""
    await keep.sessions.create("s")
    await keep.messages.append("s", [NewMessage(role="user")])
    assert await pending_rows(server, prefix) == 1
    assert await keep.sessions.delete("s")
    assert [key async for key in server.scan_iter(match=f"{prefix}:*", count=10_000)] == [f"{prefix}:schema".encode()]


async def listed(keep: Keep, **filters: Any) -> list[str]:
    return [session.id for session in (await keep.sessions.list(**filters)).items]


async def test_a_listing_passes_a_crowd_of_expired_sessions_in_few_exchanges(dsn: str, prefix: str) -> None:
    """READ-5, COST-1: each further look at the index is a larger one, so that no sweep is needed before a listing."""
    async with (
        Proxy(*address_of(dsn)) as proxy,
        agentkeep.connect(proxy.through(dsn), prefix=prefix) as keep,
    ):
        for first in range(0, _EXPIRED, 100):
            creates = (keep.sessions.create(f"gone{first + n}", ttl=timedelta(seconds=2)) for n in range(100))
            await asyncio.gather(*creates)
        for number in range(3):
            await keep.sessions.create(f"s{number}")
        for _ in range(600):
            if await keep.sessions.count() == 3:
                break
            await asyncio.sleep(0.05)
        proxy.reset()
        assert await listed(keep, order="updated_at", limit=1) == ["s0"]
        assert proxy.traffic.round_trips <= 8
        assert await listed(keep, order="created_at", limit=2) == ["s0", "s1"]
        assert [session.id async for session in keep.sessions.iterate(order="updated_at")] == ["s0", "s1", "s2"]
        assert await keep.sweep(limit=10_000) == _EXPIRED


@pytest.mark.parametrize("filters", [{}, {"user_id": "u0"}, {"user_id": "u0", "status": "active"}])
async def test_what_has_expired_costs_a_listing_once_and_a_count_nothing(
    keep: Keep, server: Any, filters: dict[str, Any]
) -> None:
    """COST-3, READ-5: also with two filters, and no script walks through all that has expired."""
    for first in range(0, _EXPIRED, 100):
        creates = (
            keep.sessions.create(f"gone{n}", user_id=f"u{n % 2}", ttl=timedelta(seconds=1))
            for n in range(first, first + 100)
        )
        await asyncio.gather(*creates)
    for number in range(4):
        await keep.sessions.create(f"s{number}", user_id=f"u{number % 2}")
    await asyncio.sleep(1.1)

    async def commands(call: Awaitable[Any]) -> int:
        """How many ran inside the server."""
        before = await server.info("commandstats")
        await call
        after = await server.info("commandstats")
        return sum(after[name]["calls"] - before.get(name, {"calls": 0})["calls"] for name in after) - 1

    expected = 2 if filters else 4
    assert await keep.sessions.count(**filters) == expected
    if len(filters) < 2:
        assert await commands(keep.sessions.count(**filters)) < 10
    for order in ("created_at", "updated_at"):
        assert len(await listed(keep, order=order, **filters)) == expected
    for order in ("created_at", "updated_at"):
        assert await commands(keep.sessions.list(order=order, limit=2, **filters)) < 30
    assert await keep.sessions.count(**filters) == expected
    assert await keep.sweep(limit=10_000) == _EXPIRED


async def test_a_server_that_refuses_writes_lists_what_is_late_all_the_same(keep: Keep, server: Any) -> None:
    """ORD-5: a full disk, or too few replicas, stops writes; listings and counts stay exact."""
    for number in range(6):
        await keep.sessions.create(f"s{number}", user_id=f"u{number % 2}")
    assert await keep.sessions.count() == 6
    for number in range(3):
        await keep.messages.append(f"s{number}", [NewMessage(role="user")])
    await server.config_set("min-replicas-to-write", 1)
    try:
        with pytest.raises(Unavailable):
            await keep.messages.append("s0", [NewMessage(role="user")])
        for _ in range(2):
            assert await listed(keep) == [
                "s2",
                "s1",
                "s0",
                "s5",
                "s4",
                "s3",
            ]
            assert await listed(keep, user_id="u0") == ["s2", "s0", "s4"]
            assert await keep.sessions.count() == 6
            assert await keep.sessions.count(user_id="u1", status="active") == 3
    finally:
        await server.config_set("min-replicas-to-write", 0)
    assert (await keep.messages.append("s0", [NewMessage(role="user")]))[0].seq == 2


@pytest.fixture
async def crowded(request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, Any]]:
    """A server whose database can be filled with a million keys in a second, as it writes none to a disk."""
    dsn = dsn_of(REDIS_MEMORY, request.config)
    async with Redis.from_url(dsn) as client:  # pyright: ignore[reportUnknownMemberType] - untyped by the driver
        yield dsn, client


async def change_foreign(client: Any, script: str, prefix: str) -> None:
    for first in range(0, _FOREIGN, 100_000):
        await client.eval(script, 0, f"{prefix}foreign:", first, first + 99_999)


async def test_a_million_foreign_keys_change_nothing(crowded: tuple[str, Any], prefix: str) -> None:
    """READ-5, ISO-3: each verb, the sweep too, runs the same commands in the server as in a database of our own."""
    dsn, client = crowded
    async with agentkeep.connect(dsn, prefix=prefix) as keep:
        for number in range(30):
            await keep.sessions.create(f"s{number}", user_id=f"u{number % 3}")

        async def commands() -> dict[str, int]:
            """What ran inside the server for a call of each kind, by name."""
            before = await client.info("commandstats")
            await keep.sessions.list(limit=10)
            await keep.sessions.count(user_id="u1")
            await keep.messages.append("s1", [NewMessage(role="user", content="x")])
            await keep.messages.tail("s1", 10)
            assert await keep.sweep() == 0
            after = await client.info("commandstats")
            ran = {name: after[name]["calls"] - before.get(name, {"calls": 0})["calls"] for name in after}
            return {name: calls for name, calls in ran.items() if calls and name != "cmdstat_info"}

        await commands()
        few = await commands()
        assert few["cmdstat_evalsha"] == 6
        assert not few.keys() & {"cmdstat_keys", "cmdstat_scan"}
        await change_foreign(client, _FILL, prefix)
        try:
            assert await client.dbsize() > _FOREIGN
            assert await commands() == few
        finally:
            await change_foreign(client, _EMPTY, prefix)


async def test_tenants_with_sessions_are_listed(dsn: str, prefix: str) -> None:
    async with agentkeep.connect(dsn, prefix=prefix) as keep:
        await check_tenants_are_listed(keep)
