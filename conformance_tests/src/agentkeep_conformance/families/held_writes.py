"""A write that begins before a session's end and commits after it: readers wait for it, or it is too late (TTL-1).

A race meets this moment rarely, so these tests make it. Where the adapter is given its clock, the clock stops the write
after it was told the time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from agentkeep import Keep, View

from agentkeep_conformance.clauses import needs, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.expiry_races import SESSION_READS, SessionRead
from agentkeep_conformance.families.faults import error_of
from agentkeep_conformance.families.troubles import Bench, bench_of
from agentkeep_conformance.samples import PATIENCE_SECONDS, HandClock, said, until

_IDLE = timedelta(seconds=1)
_USED_AFTER = _IDLE * 0.6
"""The write begins then. So much later the first end has passed, and the one that the write gives has not."""
_HELD_IDLE = timedelta(seconds=3)
"""Of sessions whose writes the server holds: their later end must not come before all have looked."""
_MEANWHILE = 0.03
"""Seconds that readers get while the write is held. Those that wait for the write wait longer."""

Write = Callable[[View, str], Awaitable[Any]]
"""Of a session that its user's name names."""

WRITES: dict[str, Write] = {
    "append": lambda view, name: view.messages.append(name, [said()]),
    "append with an id": lambda view, name: view.messages.append(name, [said(id="m")]),
    "append a turn": lambda view, name: view.messages.append(name, [said()], update={"title": "t"}, add={"n": 1}),
    "touch": lambda view, name: view.sessions.touch(name),
    "touch with an end": lambda view, name: view.sessions.touch(name, ttl=3_600),
    "update the ends": lambda view, name: view.sessions.update(name, idle_ttl=3_600),
}
"""Each moves the end of a session, or is refused if it comes too late. The user of a session has its name."""


class StoppingClock(HandClock):
    """Once, it stops a thread that asks for the time. For all others `_USED_AFTER` passes meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self._own_thread = threading.get_ident()
        self._is_armed = False
        self.stopped = threading.Event()
        self.go_on = threading.Event()

    def stop_next(self) -> None:
        self.stopped.clear()
        self.go_on.clear()
        self._is_armed = True

    def __call__(self) -> datetime:
        now = self.now
        if self._is_armed and threading.get_ident() != self._own_thread:
            self._is_armed = False
            self.now += _USED_AFTER
            self.stopped.set()
            self.go_on.wait(PATIENCE_SECONDS)
        return now


class HeldWrites:
    @proves("TTL-1")
    async def test_no_reader_sees_the_end_while_a_write_may_move_it(self, database: Database) -> None:
        if database.unopened().capabilities.server_clock:
            await _write_at_the_end([await database.keep(), await database.keep()])
            return
        clock = StoppingClock()
        views = [await database.keep(clock=clock), await database.keep(clock=clock)]
        for name in WRITES:
            await _stop_after_the_beginning(clock, views, name)

    @proves("TTL-1")
    @needs("hold_writes", "it has no hook that lets writes wait at the server")
    async def test_a_write_that_the_server_holds_over_the_end_brings_no_session_back(self, database: Database) -> None:
        async with bench_of(database, database.enrolment.hold_writes) as bench:
            await _held_over_the_end(bench)

    @proves("TTL-1")
    @needs("hold_commits", "it has no hook that lets writes wait at the server before their commit")
    async def test_nor_does_one_that_only_waits_to_commit(self, database: Database) -> None:
        """It has judged that the session lives, and was right; readers wait for it or never see it again."""
        async with bench_of(database, database.enrolment.hold_commits) as bench:
            await _held_over_the_end(bench)


async def _held_over_the_end(bench: Bench) -> None:
    views = [bench.witness, bench.victim]
    for name in WRITES:
        await _store(views[0], name, _HELD_IDLE)
    end = monotonic() + _HELD_IDLE.total_seconds()
    await asyncio.sleep(_HELD_IDLE.total_seconds() * 0.6)
    async with bench.trouble.during():
        writing = [asyncio.create_task(error_of(write(bench.victim, name))) for name, write in WRITES.items()]
        await asyncio.sleep(end + _MEANWHILE - monotonic())
        reading = {name: _look(views, name) for name in WRITES}
        looks = [look for of_one in reading.values() for look in of_one.values()]
        await asyncio.wait(looks, timeout=_MEANWHILE * len(WRITES))
    await asyncio.gather(*writing)
    for name, of_one in reading.items():
        await _check(name, of_one, views)


async def _stop_after_the_beginning(clock: StoppingClock, views: Sequence[Keep], name: str) -> None:
    """A write in this thread can't be stopped: it is over before a reader comes."""
    await _store(views[0], name)
    clock.now += _USED_AFTER
    clock.stop_next()
    writing = asyncio.create_task(error_of(WRITES[name](views[0], name)))

    async def is_held_or_over() -> bool:
        return clock.stopped.is_set() or writing.done()

    await until(is_held_or_over, "the write asks for the time")
    reading = _look(views, name)
    await asyncio.wait(reading.values(), timeout=_MEANWHILE)
    clock.go_on.set()
    await writing
    await _check(name, reading, views)


async def _write_at_the_end(views: Sequence[Keep]) -> None:
    """No test stops a server's clock: the writes begin so late that they may end after the session."""
    for name in WRITES:
        await _store(views[0], name)
    await asyncio.sleep(_IDLE.total_seconds() - _MEANWHILE)
    writing = [asyncio.create_task(error_of(write(views[0], name))) for name, write in WRITES.items()]
    await asyncio.sleep(_MEANWHILE)
    reading = {name: _look(views, name) for name in WRITES}
    await asyncio.gather(*writing)
    for name, looks in reading.items():
        await _check(name, looks, views)


async def _store(view: Keep, name: str, idle_ttl: timedelta = _IDLE) -> None:
    await view.messages.append(name, [said("aardvark")], create={"user_id": name, "idle_ttl": idle_ttl})


def _look(views: Sequence[View], name: str) -> dict[SessionRead, asyncio.Task[bool]]:
    """Every reader at once, in one view or another, and after the next write in the other."""
    looks = looks_of(views[0])
    first = list(WRITES).index(name)
    return {
        look: asyncio.create_task(look(views[number % len(views)], name)) for number, look in enumerate(looks, first)
    }


def looks_of(view: View) -> Sequence[SessionRead]:
    """Of a session with a message "aardvark"."""
    return (*SESSION_READS, _is_searched) if view.capabilities.search else SESSION_READS


async def _is_searched(view: View, name: str) -> bool:
    return len(await view.messages.search("aardvark", user_id=name)) > 0


async def _check(name: str, reading: dict[SessionRead, asyncio.Task[bool]], views: Sequence[View]) -> None:
    """What one reader saw as expired, no reader sees again."""
    saw_its_end = [look.__name__ for look, task in reading.items() if not await task]
    again = [look.__name__ for look, task in _look(views, name).items() if await task]
    assert not (saw_its_end and again), f"{name}: {saw_its_end} saw the end, and then {again} saw the session"
