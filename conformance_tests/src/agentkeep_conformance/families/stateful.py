"""Random programs, run on the adapter and on the model: the same results, pages and errors, or a shortest program that
shows the difference. Two instances work on the same data in turn, so that a cache of one is seen by the other.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from contextlib import nullcontext
from random import Random
from time import monotonic
from typing import Any, NamedTuple

from agentkeep import Keep

from agentkeep_conformance.clauses import proves, takes_long
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.concurrency import rounds_of
from agentkeep_conformance.leftovers import leaves_no_record
from agentkeep_conformance.machine import IDLE_TTL, Bench
from agentkeep_conformance.programs import Draw, Drawn
from agentkeep_conformance.rules import STEPS, Programs
from agentkeep_conformance.samples import HandClock
from agentkeep_conformance.small_steps import small_steps

_PROGRAMS = 50
_SMALL = 3
"""One program of so many runs with small limits (`small_steps`)."""
_LENGTH = 60
SHORTEN_SECONDS = 20.0
"""For which a failing program is made shorter."""


class Step(NamedTuple):
    """One step of a program."""

    name: str
    arguments: Drawn


class Stateful:
    @takes_long
    @proves("ORD-1", "ORD-5", "ORD-6", "IDEM-1", "IDEM-3", "CNT-1", "CNT-2", "SES-1", "SES-2", "SES-5", "SES-7")
    @proves("READ-2", "READ-4", "READ-5", "TTL-1", "TTL-3", "SES-6", "ISO-1", "ISO-2", "ISO-4", "FID-5")
    async def test_random_programs_agree_with_the_model(self, database: Database) -> None:
        for number in range(rounds_of(database, 1)):
            await asyncio.to_thread(run_programs, database.other_namespace(), database.seed + number)


def run_programs(database: Database, seed: int) -> Counter[tuple[str, str, str]]:
    """Run the programs of a seed in a thread and event loop of their own. Returns what they met.

    Then all their sessions go, and every record with them (SES-6).
    """
    clock = None if database.unopened().capabilities.server_clock else HandClock()
    options: dict[str, Any] = {} if clock is None else {"clock": clock}
    small = database.enrolment.small_steps
    with asyncio.Runner() as loop:
        other = database.unopened(**options, **database.enrolment.other_options)
        keeps = (Keep(database.unopened(**options)), Keep(other, idle_ttl=IDLE_TTL))
        bench = Bench(loop, keeps, clock, Counter(), [])
        try:
            for keep in keeps:
                loop.run(keep.open())
            for number in range(_PROGRAMS):
                with small_steps(small) if number % _SMALL == 0 else nullcontext():
                    check(bench, program(Random(f"{seed}.{number}")))
            loop.run(leaves_no_record(database, keeps[0], bench.tenants))
        finally:
            for keep in keeps:
                loop.run(keep.close())
    return bench.met


def program(random: Random) -> list[Step]:
    """A random program. It begins with what the other steps meet."""
    draw = Draw(random)
    names = random.choices(list(STEPS), [weight for weight, _ in STEPS.values()], k=_LENGTH)
    return [Step("furnish", {"tenant": 0}), Step("furnish", {"tenant": 1}), *(_step(draw, name) for name in names)]


def _step(draw: Draw, name: str) -> Step:
    """`view` and `id` are drawn for each step that takes them."""
    takes = inspect.signature(getattr(Programs, name)).parameters
    common: Drawn = {"view": draw.view(), "id": draw.session_id()}
    return Step(name, {key: value for key, value in common.items() if key in takes} | STEPS[name][1](draw))


def check(bench: Bench, steps: list[Step]) -> None:
    """Raises `AssertionError` with the shortest program that was found to fail."""
    problem = failure_of(bench, steps)
    if problem is None:
        return
    steps = shortened(bench, steps)
    shown = "\n".join(
        f"  {name}({', '.join(f'{key}={value!r}' for key, value in each.items())})" for name, each in steps
    )
    problem = failure_of(bench, steps) or problem
    raise AssertionError(f"{problem}\nafter this program, of which the last step fails:\n{shown}") from problem


def failure_of(bench: Bench, steps: list[Step]) -> Exception | None:
    """What goes wrong in a program, on tenants that nobody used before."""
    machine = Programs(bench)
    try:
        for name, arguments in steps:
            getattr(machine, name)(**arguments)
    except Exception as problem:
        return problem
    return None


def shortened(bench: Bench, steps: list[Step]) -> list[Step]:
    """Leave out parts as long as the rest still fails, first large ones, for a while."""
    until = monotonic() + SHORTEN_SECONDS
    size = len(steps) // 2
    while size:
        start = 0
        while start < len(steps) and monotonic() < until:
            fewer = steps[:start] + steps[start + size :]
            if fewer and failure_of(bench, fewer):
                steps = fewer
            else:
                start += size
        size //= 2
    return steps
