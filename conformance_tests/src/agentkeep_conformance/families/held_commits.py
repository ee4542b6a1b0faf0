"""A write that is held on its way to the server until its session has ended: it comes too late, and says so (TTL-1).

Which of its round trips commits it, the suite doesn't know. So each of them is held in turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count
from time import monotonic
from typing import NamedTuple

from agentkeep import Keep, SessionNotFound

from agentkeep_conformance.clauses import needs_wire, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.expiry_races import SessionRead
from agentkeep_conformance.families.faults import Bench, bench_of, error_of, struck_or_done
from agentkeep_conformance.families.held_writes import WRITES as _SHORT_WRITES
from agentkeep_conformance.families.held_writes import Write, looks_of
from agentkeep_conformance.proxy import Fault
from agentkeep_conformance.racing import all_of
from agentkeep_conformance.samples import said

_LIVES = [timedelta(seconds=seconds) for seconds in (1, 4, 12)]
"""Tried one after the other, until each held request was sent before its session's end: a busy machine misses it."""
_USED_AFTER = 0.6
"""The part of its life after which a session is written to."""
_LONG_ENOUGH = 2.0
"""Seconds that a reader gets while the write is held. One that waits for the write waits longer."""
_AFTER = 0.02
"""Seconds from a session's end to the reader's look."""
_NUMBERS = count()
"""No two sessions share one."""

WRITES: dict[str, Write] = {
    **_SHORT_WRITES,
    "append a new end": lambda view, name: view.messages.append(
        name, [said()], update={"ttl": 3_600, "idle_ttl": None}
    ),
    "take the ends away": lambda view, name: view.sessions.update(name, ttl=None, idle_ttl=None),
}
"""Each lets a session live longer, or is refused. The user of a session has its name."""


class _Case(NamedTuple):
    """What is held, and who looks meanwhile: one reader alone, as another may end the session for all."""

    write: str
    nth: int
    look: SessionRead


class HeldCommits:
    @proves("TTL-1", "ERR-2")
    @needs_wire
    async def test_a_write_that_reaches_the_server_after_the_end_brings_nothing_back(self, database: Database) -> None:
        """Each reader meets each round trip of one write or another; nightly, of every write."""
        witness = await database.keep()
        looks = looks_of(witness)
        for first in range(len(looks)) if database.tier == "nightly" else [database.seed]:
            paired = {name: looks[number % len(looks)] for number, name in enumerate(WRITES, first)}
            for life in _LIVES:
                if await _all_were_held(database, witness, paired, life):
                    break
            else:
                raise AssertionError(f"a write took longer than a life of {_LIVES[-1].seconds} s")


async def _all_were_held(database: Database, witness: Keep, paired: dict[str, SessionRead], life: timedelta) -> bool:
    trips = await all_of(_trips_of(database, witness, name, life) for name in paired)
    cases = [
        _Case(name, nth, look)
        for (name, look), most in zip(paired.items(), trips, strict=True)
        for nth in range(1, most + 1)
    ]
    return 0 not in trips and all(await all_of(_was_held(database, witness, case, life) for case in cases))


class _Dying(NamedTuple):
    """A session near its end, and a bench whose connection was used."""

    bench: Bench
    name: str
    lives_until: float
    """By the monotonic clock: until then it lives."""
    ended_at: float
    """From then on it has ended."""


@asynccontextmanager
async def _dying(database: Database, witness: Keep, life: timedelta) -> AsyncGenerator[_Dying]:
    async with bench_of(database, witness) as bench:
        name, started = f"s{next(_NUMBERS)}", monotonic()
        await witness.messages.append(name, [said("aardvark")], create={"user_id": name, "idle_ttl": life})
        created = monotonic()
        await bench.victim.sessions.find(name)
        seconds = life.total_seconds()
        await asyncio.sleep(started + seconds * _USED_AFTER - monotonic())
        yield _Dying(bench, name, started + seconds, created + seconds)


async def _trips_of(database: Database, witness: Keep, write: str, life: timedelta) -> int:
    """How many round trips this write takes near the end, if nothing holds it. 0 if the session ended before that."""
    async with _dying(database, witness, life) as dying:
        dying.bench.proxy.reset()
        error = await error_of(WRITES[write](dying.bench.victim, dying.name))
        return dying.bench.proxy.traffic.round_trips if error is None and monotonic() < dying.lives_until else 0


async def _was_held(database: Database, witness: Keep, case: _Case, life: timedelta) -> bool:
    """Hold one write, look, let it go, look again. False if the write came too late for that."""
    async with _dying(database, witness, life) as dying:
        proxy, name = dying.bench.proxy, dying.name
        plan = proxy.arm(Fault.STALL_REQUEST, nth=case.nth)
        writing = asyncio.create_task(error_of(WRITES[case.write](dying.bench.victim, name)))
        await struck_or_done(plan, writing)
        was_in_time = monotonic() < dying.lives_until  # without such a round trip now, there is nothing to hold
        await asyncio.sleep(dying.ended_at + _AFTER - monotonic())
        looking = asyncio.create_task(case.look(witness, name))
        await asyncio.wait([looking], timeout=_LONG_ENOUGH)
        proxy.restore()
        error = await writing
        was_seen = await looking
        again = [look.__name__ for look in looks_of(witness) if await look(witness, name)]
    ended = [
        *([] if was_seen else [case.look.__name__]),
        *([repr(error)] if isinstance(error, SessionNotFound) else []),
    ]
    what = f"round trip {case.nth} of {case.write!r} was held"
    assert not (ended and again), f"{what}: {ended} said that the session has ended, and then {again} saw it"
    return was_in_time
