"""Several callers append through one keep at once. An adapter may send their calls together: nobody can tell.

The messages have no ids of the caller's, so that no id protects from a second landing. Each has a content of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from agentkeep import AlreadyExists, Appended, Conflict, Keep, OutcomeUnknown, SessionNotFound, Unavailable, View
from agentkeep.errors import LimitExceeded

from agentkeep_conformance.children import report
from agentkeep_conformance.clauses import needs_wire, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.concurrency import rounds_of
from agentkeep_conformance.families.faults import bench_of, for_each_cut, within
from agentkeep_conformance.families.ttl import HOUR, expired
from agentkeep_conformance.families.watching import watching
from agentkeep_conformance.proxy import Fault
from agentkeep_conformance.racing import PROCESSES, in_children, outcomes
from agentkeep_conformance.samples import log, said, seqs, until

_SESSIONS = [f"s{number}" for number in range(5)]
_BATCH = ("first", "second")
"""What the contents of one call's messages end with."""


def contents_of(name: str) -> list[str]:
    return [f"{name} {part}" for part in _BATCH]


def call(keep: View, session_id: str, name: str, **options: Any) -> Awaitable[Appended]:
    """One call of two messages."""
    return keep.messages.append(session_id, [said(content) for content in contents_of(name)], **options)


async def contents(keep: View, session_id: str) -> list[Any]:
    """Of all messages; the seqs are 1, 2, 3, …"""
    messages = await log(keep, session_id)
    assert seqs(messages) == list(range(1, len(messages) + 1))
    return [message.content for message in messages]


def times_whole(held: Sequence[Any], name: str) -> int:
    """How many times a call has landed, whole. Raises `AssertionError` if its messages are not adjacent."""
    first, second = contents_of(name)
    count = held.count(first)
    places = [place for place, content in enumerate(held) if content == first]
    assert all(held[place + 1 : place + 2] == [second] for place in places), f"{name} is there in part"
    assert held.count(second) == count, f"{name} is there in part"
    return count


async def _call_or_leave(keep: View, session_id: str, name: str) -> int:
    """How many times the call is there when it ends; it may be cancelled (FLT-3)."""
    try:
        await call(keep, session_id, name)
    except asyncio.CancelledError:
        return times_whole(await contents(keep, session_id), name)
    return 1


async def write_both_ways(keep: View, who: int, rounds: int) -> int:
    """In a child process: calls to all sessions at once, in one order or the other; how many messages it sees then."""
    order = _SESSIONS if who % 2 else _SESSIONS[::-1]
    for session_id in order:
        await keep.sessions.get_or_create(session_id)
    for number in range(rounds):
        async with asyncio.timeout(120):
            await asyncio.gather(*(call(keep, id, f"{who}.{number}.{n}") for id in order for n in range(3)))
    return sum([await keep.messages.count(session_id) for session_id in order])


async def write_until_killed(keep: View, who: str) -> None:
    """In a child process: calls to all sessions at once, again and again; reports the names of those that landed."""
    number = 0
    while True:
        names = [f"{who}.{number}.{n}" for n in range(4)]
        await asyncio.gather(*(call(keep, id, name) for name in names for id in _SESSIONS))
        report(names)
        number += 1


class SeveralCallers:
    @proves("ORD-2", "ORD-4", "CNT-1", "TTL-3", "ORD-5")
    async def test_each_of_several_callers_gets_its_own_answer(self, database: Database, keep: Keep) -> None:
        fields: list[dict[str, Any]] = [
            {},
            {"idle_ttl": HOUR, "metadata": {"k": 1}},
            {"ttl": HOUR, "idle_ttl": 2 * HOUR, "metadata": {"k": 1}},
            {"metadata": {"k": 1}},
            {"user_id": "u1"},
        ]
        for id, given in zip(_SESSIONS, fields, strict=True):
            await keep.sessions.create(id, **given)
        users = keep.for_user("u1")
        created = (await keep.sessions.get(_SESSIONS[-1])).updated_at
        for number in range(rounds_of(database, 4)):
            views = [(keep, id) for id in _SESSIONS] * 3 + [(users, _SESSIONS[4])] * 2
            names = [f"{number}.{n}" for n in range(len(views))]
            found = await asyncio.gather(*(call(view, id, name) for (view, id), name in zip(views, names, strict=True)))
            for (_, id), name, appended in zip(views, names, found, strict=True):
                assert [message.content for message in appended] == contents_of(name)
                assert (appended.new, appended.last_seq) == (2, appended[-1].seq)
                assert list((await keep.messages.get_many(id, [m.id for m in appended])).values()) == list(appended)
        for id in _SESSIONS:
            messages = await log(keep, id)
            session = await keep.sessions.get(id)
            assert session.message_count == session.last_seq == len(messages)
            assert seqs(messages) == list(range(1, len(messages) + 1))
            assert session.last_message_at == messages[-1].created_at
            assert session.updated_at >= messages[-1].created_at
            ends = [session.ends_at, session.idle_ttl and session.updated_at + session.idle_ttl]
            assert session.expires_at == min((end for end in ends if end), default=None)
        newest = (await keep.sessions.list()).items
        assert newest == sorted(newest, key=lambda one: one.updated_at, reverse=True)
        labelled = (await keep.sessions.list(metadata={"k": 1}, updated_after=created)).items
        assert labelled == [one for one in newest if one.metadata]
        assert len(labelled) == await keep.sessions.count(metadata={"k": 1}, updated_after=created) == 3

    @proves("ERR-2", "SES-4", "ISO-1", "ORD-4", "TTL-1")
    async def test_a_call_that_fails_among_others_fails_alone(self, database: Database, keep: Keep) -> None:
        for id in _SESSIONS:
            await keep.sessions.create(id, user_id="u1")
        await keep.sessions.update("s4", add={"full": 2**53 - 1})
        await keep.sessions.create("deleted")
        await keep.sessions.delete("deleted")
        await keep.sessions.create("expired", ttl=timedelta(milliseconds=20))
        await expired(keep, "expired")
        stranger, other = keep.for_user("u2"), keep.for_tenant("other")
        await other.sessions.create("s1")
        for number in range(rounds := rounds_of(database, 8)):
            names = [f"{number}.{n}" for n in range(15)]
            good = [(call(keep, _SESSIONS[n % 5], name), name) for n, name in enumerate(names)]
            good += [(call(other, "s1", f"other {name}"), f"other {name}") for name in names[:3]]
            failing: list[tuple[Awaitable[Any], type[Exception]]] = [
                (call(keep, "absent", "x"), SessionNotFound),
                (call(keep, "deleted", "x"), SessionNotFound),
                (call(keep, "expired", "x"), SessionNotFound),
                *((call(stranger, id, "x"), SessionNotFound) for id in _SESSIONS),
                (call(stranger, "s1", "x", create={}), AlreadyExists),
                *((call(other, id, "x"), SessionNotFound) for id in ("s0", "s2")),
                (call(keep, "s2", "x", expected_last_seq=99), Conflict),
                (call(keep, "s3", "x", expected_version=0), Conflict),
                (call(keep, "s4", "x", add={"full": 1}), LimitExceeded),
                (call(keep, "s4", "x", add={"full": 1}, update={"title": "x"}, truncate_after=0), LimitExceeded),
            ]
            calls = Random(number).sample([*good, *failing], len(good) + len(failing))  # each waits behind each other
            found = await outcomes([made for made, _ in calls])
            for one, (_, expected) in zip(found, calls, strict=True):
                shown = [message.content for message in one] if isinstance(one, Appended) else type(one)
                assert shown == (contents_of(expected) if isinstance(expected, str) else expected)
        for place, id in enumerate(_SESSIONS):
            held = await contents(keep, id)
            landed = [f"{n}.{place + 5 * k}" for n in range(rounds) for k in range(3)]
            assert len(held) == 2 * len(landed)
            assert {times_whole(held, name) for name in landed} == {1}
        assert len(await contents(other, "s1")) == 2 * 3 * rounds

    @proves("SES-4", "ORD-5")
    async def test_a_session_deleted_among_calls_takes_only_its_own(self, database: Database, keep: Keep) -> None:
        for number in range(rounds_of(database, 8)):
            names = [f"{number}.{id}" for id in _SESSIONS]
            for name in names:
                await keep.sessions.create(name)
            calls = [call(keep, name, f"{n}") for n in range(4) for name in names]
            deleted: Awaitable[Any] = keep.sessions.delete(names[2])
            found = await outcomes([*calls[:number], deleted, *calls[number:]])
            del found[min(number, len(calls))]
            of_deleted = found[2::5]
            assert all(isinstance(one, Appended | SessionNotFound) for one in of_deleted)
            assert all(isinstance(one, Appended) for n, one in enumerate(found) if n % 5 != 2)
            assert await keep.sessions.find(names[2]) is None
            for name in names[:2] + names[3:]:
                held = await contents(keep, name)
                assert [times_whole(held, f"{n}") for n in range(4)] == [1] * 4

    @proves("ERR-2", "FLT-1", "FLT-2", "ORD-2")
    @needs_wire
    @pytest.mark.parametrize("then_refuse", [False, True], ids=["cut", "gone"])
    async def test_calls_that_are_cut_off_land_once_or_not_at_all(self, database: Database, then_refuse: bool) -> None:
        async def are_cut_off(fault: Fault) -> None:
            async with bench_of(database) as bench:
                for nth in (1, 2, 3):
                    victim, witness = await bench.furnished()
                    for id in _SESSIONS:
                        await witness.sessions.create(id)
                    bench.proxy.arm(fault, nth=nth, then_refuse=then_refuse)
                    calls = [call(victim, id, f"{n}") for n in range(3) for id in _SESSIONS]
                    found = await within(outcomes(calls))
                    bench.proxy.restore()
                    for n, one in enumerate(found):
                        await self._is_told(witness, _SESSIONS[n % 5], f"{n // 5}", one)
                    assert await within(call(victim, "s0", "again"))

        await for_each_cut(are_cut_off)

    async def _is_told(self, witness: View, id: str, name: str, found: Any) -> None:
        """ERR-2: success means once, `Unavailable` not at all, `OutcomeUnknown` one of both; no other error will do."""
        count = times_whole(await contents(witness, id), name)
        if isinstance(found, Appended):
            assert count == 1, f"{name} was acknowledged and is there {count} times"
        elif isinstance(found, Unavailable):
            assert count == 0, f"{found!r} says that nothing was written"
        else:
            assert isinstance(found, OutcomeUnknown), f"raised {found!r}"
            assert count <= 1, f"{name} is there {count} times"

    @proves("FLT-3", "ORD-6")
    async def test_a_cancelled_caller_among_others_leaves_alone(self, database: Database, keep: Keep) -> None:
        for turns in range(0, rounds_of(database, 12), 2):
            for leaving in ([0], [1], [2, 5], [0, 3, 7]):
                pair = [f"{who} {turns} {leaving}" for who in "st"]
                for id in pair:
                    await keep.sessions.create(id)
                calls = [asyncio.ensure_future(_call_or_leave(keep, pair[n % 2], f"{n}")) for n in range(8)]
                for _ in range(turns):
                    await asyncio.sleep(0)
                for n in leaving:
                    calls[n].cancel()
                ended = await within(asyncio.gather(*calls, return_exceptions=True))
                found = [0 if isinstance(one, asyncio.CancelledError) else one for one in ended]  # it never began
                await call(keep, pair[0], "after")
                held = [await contents(keep, id) for id in pair]
                assert [times_whole(held[n % 2], f"{n}") for n in range(8)] == found
                assert all(count == 1 for n, count in enumerate(found) if n not in leaving)

    @proves("ORD-1", "ORD-2", "ORD-4", "CNT-1")
    async def test_processes_write_to_the_same_sessions_in_opposite_orders(
        self, database: Database, keep: Keep
    ) -> None:
        rounds = rounds_of(database, 10)
        seen = await in_children(database, write_both_ways, rounds, processes=PROCESSES)
        each = len(_SESSIONS) * 3 * rounds * len(_BATCH)
        if not keep.capabilities.shared:
            assert seen == [each] * PROCESSES
            return
        assert max(seen) == each * PROCESSES
        for id in _SESSIONS:
            held = await contents(keep, id)
            assert len(held) * len(_SESSIONS) == each * PROCESSES
            assert (await keep.sessions.get(id)).message_count == len(held)

    @proves("FLT-1", "ORD-2")
    async def test_a_process_killed_among_calls_leaves_each_whole_or_not_at_all(
        self, database: Database, keep: Keep
    ) -> None:
        if not keep.capabilities.shared:
            assert await in_children(database, write_both_ways, 1, processes=2) == [30, 30]
            return
        for id in _SESSIONS:
            await keep.sessions.create(id)
        for number in range(rounds_of(database, 3)):
            child = await database.spawn(write_until_killed, f"k{number}")
            landed: list[str] = []
            async for names in child.reports():
                landed += names
                if len(landed) >= 4 * (1 + 5 * number):
                    break
            await child.kill()
            for id in _SESSIONS:
                held = await _settled(keep, id)
                assert [times_whole(held, name) for name in landed] == [1] * len(landed)
                started = {content.rpartition(" ")[0] for content in held}
                assert {times_whole(held, name) for name in started} == {1}

    @proves("WATCH-1", "SRCH-1")
    async def test_watchers_and_searches_meet_what_several_callers_append(self, keep: Keep) -> None:
        for id in _SESSIONS:
            await keep.sessions.create(id)
        async with AsyncExitStack() as stack:
            met = {}
            if keep.capabilities.watch:
                met = {id: await stack.enter_async_context(watching(keep, id)) for id in _SESSIONS[:3]}
            await asyncio.gather(*(call(keep, id, f"word{n}") for n in range(4) for id in _SESSIONS))
            if keep.capabilities.search:
                for n in range(4):
                    hits = await keep.messages.search(f"word{n} second", limit=10)
                    assert {hit.message.session_id for hit in hits} == set(_SESSIONS)

            async def all_met() -> bool:
                return all(seqs(found) == list(range(1, 9)) for found in met.values())

            await until(all_met, "watchers meet each message once, in order")


async def _settled(keep: View, session_id: str) -> list[Any]:
    """All contents when nothing lands any more: a server may still be at what the killed process had sent."""
    seen: list[Any] | None = None
    while (held := await contents(keep, session_id)) != seen:
        seen = held
        await asyncio.sleep(0.3)
    return held
