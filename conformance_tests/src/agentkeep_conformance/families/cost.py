"""What a call costs, counted and never timed: round trips and bytes at the socket, steps if there is none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import astuple
from typing import Any

import pytest
from agentkeep import Keep, NewMessage, PersistenceAdapter, View

from agentkeep_conformance.clauses import needs_wire, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.faults import bench_of
from agentkeep_conformance.proxy import Proxy

_LIMITS = {
    "append": 3,
    "append with ids": 4,
    "append with create": 3,
    "append beside later ids": 3,
    "read": 2,
    "listing": 2,
}
"""COST-1: more no database is allowed; each may declare less, and is held to it."""

_AS = {"append with create": "append", "append beside later ids": "append", "listing": "read"}
"""What is not declared may take as much as another kind."""

_CALLS = 100
_SHORT = 60
_SLACK = 64
"""Bytes: a longer seq, another length of a header's number."""

Call = Callable[[View, str], Awaitable[Any]]

_READS: dict[str, Call] = {
    "list": lambda keep, session_id: keep.messages.list(session_id, after=20, limit=20),
    "list newest first": lambda keep, session_id: keep.messages.list(session_id, limit=20, newest_first=True),
    "tail": lambda keep, session_id: keep.messages.tail(session_id, 20),
    "get": lambda keep, session_id: keep.messages.get(session_id, "m10"),
    "sessions.get": lambda keep, session_id: keep.sessions.get(session_id),
    "count": lambda keep, session_id: keep.messages.count(session_id),
}


class Cost:
    @proves("COST-1")
    @needs_wire
    @pytest.mark.parametrize("batch", [1, 100])
    @pytest.mark.parametrize("kind", ["append", "append with ids"])
    async def test_an_append_takes_the_round_trips_that_it_may(self, database: Database, kind: str, batch: int) -> None:
        async with bench_of(database) as bench:
            keep, _ = await bench.furnished()
            await _append(keep, "s")  # a driver may prepare the statement if it is new to a connection
            bench.proxy.reset()
            for number in range(_CALLS):
                ids = [f"{number}.{part}" if kind == "append with ids" else None for part in range(batch)]
                await keep.messages.append("s", [NewMessage(role="user", id=id, content="x" * 50) for id in ids])
            assert bench.proxy.traffic.round_trips <= _CALLS * allowed(database, kind)

    @proves("COST-1")
    @needs_wire
    async def test_an_append_costs_no_more_beside_later_ids_of_the_callers(self, database: Database) -> None:
        """Those have the form of the ids that core draws, as `uuid4().hex` has."""
        async with bench_of(database) as bench:
            keep, _ = await bench.furnished()
            for number in range(_CALLS):
                await keep.messages.append("s", [NewMessage(role="user", id=f"{'f' * 20}{number:012x}", content="x")])
            bench.proxy.reset()
            for _ in range(_CALLS):
                await _append(keep, "s")
            assert bench.proxy.traffic.round_trips <= _CALLS * allowed(database, "append beside later ids")

    @proves("COST-1", "READ-3")
    @needs_wire
    @pytest.mark.parametrize("name", _READS)
    async def test_a_read_takes_one_trip_and_the_same_bytes_however_long_the_log(
        self, database: Database, name: str
    ) -> None:
        async with bench_of(database) as bench:
            keep, _ = await bench.furnished()
            costs: list[tuple[int, int, int]] = []
            for session_id in await short_and_long(database, keep):
                await _READS[name](keep, session_id)
                trips, sent, received = await cost_of(bench.proxy, keep, session_id, _READS[name])
                assert trips <= allowed(database, "read")
                costs.append((trips, sent, received))
            alike(*costs)

    @proves("COST-2", "COST-1")
    @needs_wire
    async def test_an_append_sends_the_same_bytes_however_long_the_log(self, database: Database) -> None:
        async with bench_of(database) as bench:
            keep, _ = await bench.furnished()
            costs: list[tuple[int, int, int]] = []
            for session_id in await short_and_long(database, keep):
                await _append(keep, session_id)
                costs.append(await cost_of(bench.proxy, keep, session_id, _append))
            alike(*costs)

    @proves("READ-5")
    @needs_wire
    async def test_a_listing_carries_no_messages_and_costs_the_same_among_many(self, database: Database) -> None:
        async with bench_of(database) as bench:
            keep, witness = await bench.furnished()
            await _sessions(keep, 20)
            for each in (witness, keep):  # what a write left to be done soon is its own cost
                await _list_sessions(each, "")
            few = await _cost_of_a_page(bench.proxy, keep)
            await _sessions(keep, 300 if database.tier == "everyday" else 5000)
            for number in range(10):
                await keep.messages.append(f"s{number}", [NewMessage(role="user", content="x" * 5000)] * 3)
            await _list_sessions(keep, "")
            many = await _cost_of_a_page(bench.proxy, keep)
            assert few[0] == many[0] <= allowed(database, "listing")
            assert abs(few[1] - many[1]) <= _SLACK
            assert many[2] <= few[2] * 1.2 + 1024, "a page among many sessions, some with long logs, carries more"

    @proves("LIFE-1")
    @needs_wire
    async def test_opening_what_is_current_takes_3_round_trips(self, database: Database) -> None:
        await database.keep()
        address = database.enrolment.server.address
        assert address is not None
        async with Proxy(*address) as proxy:
            counted = Keep(database.enrolment.open(proxy.through(database.dsn), database.namespace))
            await counted.open()
            greeting = database.enrolment.round_trips.get("greeting", 0)
            assert proxy.traffic.round_trips <= 3 + greeting * proxy.traffic.connections
            await counted.close()

    @proves("READ-3", "COST-1", "COST-2")
    async def test_the_work_of_a_call_does_not_grow_with_the_log(self, database: Database) -> None:
        """Of an embedded database all of it; beside a server our own share, whose round trips are counted above."""
        adapter = database.unopened()
        async with Keep(adapter) as keep:
            sessions = await short_and_long(database, keep)
            for name, call in {**_READS, "append": _append}.items():
                few, many = [await steps(database, adapter, keep, call, session_id) for session_id in sessions]
                assert many <= few * 1.5 + 50, f"{name}: {few} steps in a short log, {many} in a long one"


def allowed(database: Database, kind: str) -> int:
    trips = database.enrolment.round_trips
    declared = trips.get(kind, trips.get(_AS.get(kind, kind), 1))
    assert declared <= _LIMITS[kind], f"COST-1 allows no database {declared} round trips for {kind}"
    return declared


async def short_and_long(database: Database, keep: View) -> tuple[str, str]:
    """Two sessions, the ids of the same length; the reads look at the same 20 messages' worth in both."""
    lengths = {"short": _SHORT, "long_": 2_000 if database.tier == "everyday" else 100_000}
    for session_id, length in lengths.items():
        await keep.sessions.create(session_id)
        for start in range(0, length, 500):
            numbers = range(start, min(start + 500, length))
            batch = [NewMessage(role="user", id=f"m{number}", content="x" * 100) for number in numbers]
            await keep.messages.append(session_id, batch)
    return "short", "long_"


async def _append(keep: View, session_id: str) -> None:
    await keep.messages.append(session_id, [NewMessage(role="user", content="x" * 100)])


async def _list_sessions(keep: View, session_id: str) -> None:
    assert len((await keep.sessions.list(limit=10)).items) == 10


async def _sessions(keep: View, count: int) -> None:
    for number in range(count):
        await keep.sessions.get_or_create(f"s{number}", title="x" * 20)


async def cost_of(proxy: Proxy, keep: View, session_id: str, call: Call) -> tuple[int, int, int]:
    """Round trips, bytes sent and bytes received of one call on a warm connection."""
    proxy.reset()
    await call(keep, session_id)
    _, *cost = astuple(proxy.traffic)
    return tuple(cost)


async def _cost_of_a_page(proxy: Proxy, keep: View) -> tuple[int, int, int]:
    """The lower cost of two pages: an adapter may look for expired sessions with one of them, once a second."""
    return min([await cost_of(proxy, keep, "", _list_sessions) for _ in range(2)])


def alike(short: tuple[int, int, int], long: tuple[int, int, int]) -> None:
    assert short[0] == long[0], f"{short[0]} round trips in a short log, {long[0]} in a long one"
    assert abs(short[1] - long[1]) <= _SLACK, f"{short[1]} bytes sent in a short log, {long[1]} in a long one"
    assert abs(short[2] - long[2]) <= _SLACK * 20, f"{short[2]} bytes received in a short log, {long[2]} in a long one"


async def steps(database: Database, adapter: PersistenceAdapter, keep: View, call: Call, session_id: str) -> int:
    """The least of three: the event loop may do something of its own in between."""
    return min([await database.enrolment.work(adapter, lambda: call(keep, session_id)) for _ in range(3)])
