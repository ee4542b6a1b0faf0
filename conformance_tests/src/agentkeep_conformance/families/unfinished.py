"""A server that goes away at one of the round trips of a write: what the write left undone is met by nobody, and goes.

`faults` asks what happened. Here it may have happened, and a database that takes several steps has done only some.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from agentkeep import Keep, Message, Session, SessionNotFound, View

from agentkeep_conformance.clauses import needs_wire, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.concurrency import rounds_of
from agentkeep_conformance.families.faults import CUTS, bench_of, error_of
from agentkeep_conformance.families.ttl import expired
from agentkeep_conformance.leftovers import Traces
from agentkeep_conformance.proxy import Fault
from agentkeep_conformance.racing import all_of
from agentkeep_conformance.samples import ids, log, said
from agentkeep_conformance.small_steps import small_steps

_MESSAGES = 14
NEVER = 1_000_000
"""The number of a round trip that no write comes to."""
Write = Callable[[View, str], Awaitable[Any]]
"""To a session whose messages m1 to m14 hold its id."""

WRITES: dict[str, Write] = {
    "truncate": lambda keep, word: keep.messages.truncate(word, after_seq=5),
    "trim": lambda keep, word: keep.messages.trim(word, keep_last=5),
    "pop": lambda keep, word: keep.messages.pop(word),
    "clear": lambda keep, word: keep.messages.clear(word),
    "rewind": lambda keep, word: keep.messages.append(word, [said(word)], truncate_after=5),
    "rolling window": lambda keep, word: keep.messages.append(word, [said(word)], keep_last=5),
    "redaction": lambda keep, word: keep.messages.update(word, "m5", content="gone"),
    "another user": lambda keep, word: keep.sessions.update(word, user_id="v"),
    "delete": lambda keep, word: keep.sessions.delete(word),
    "create over an expired one": lambda keep, word: keep.sessions.create(word, user_id="u"),
    "append": lambda keep, word: keep.messages.append(word, [said(word), said(word)]),
}


async def _expire(keep: View, word: str) -> None:
    with suppress(SessionNotFound):
        await keep.sessions.touch(word, ttl=0.001)
    await expired(keep, word)


REMOVALS: dict[str, Write] = {
    "delete": lambda keep, word: keep.sessions.delete(word),
    "delete_many": lambda keep, word: keep.sessions.delete_many(status="active"),
    "sweep": _expire,
}
"""A sweep comes after each of them."""


def removals_of(database: Database, name: str) -> Iterator[tuple[int, str]]:
    """By which removals to end what this write left, each with its number: every day one, and nightly all."""
    first = database.seed + list(WRITES).index(name)
    for number in range(first, first + rounds_of(database, 1, nightly=len(REMOVALS))):
        yield number, list(REMOVALS)[number % len(REMOVALS)]


class Unfinished:
    """At the end of each test all sessions go, and no record may be left of them."""

    @proves("FLT-1", "CNT-1", "SRCH-1", "SES-6", "ERR-2")
    @needs_wire
    @pytest.mark.parametrize("name", WRITES)
    async def test_what_a_write_could_not_finish_is_met_by_nobody_and_goes(self, database: Database, name: str) -> None:
        cuts = _Cuts(database, await database.keep())
        for number in range(rounds_of(database, 1, nightly=len(CUTS))):
            await cuts.at_each_round_trip(name, CUTS[(database.seed + number) % len(CUTS)])
        await cuts.traces.leave_nothing()

    @proves("FLT-1", "SES-6", "TTL-2", "ERR-2")
    @needs_wire
    @pytest.mark.parametrize("name", WRITES)
    async def test_what_a_write_could_not_finish_goes_with_its_session(self, database: Database, name: str) -> None:
        """Nothing is called between the cut and the removal that could finish the write."""
        cuts = _Cuts(database, await database.keep())
        for number, removal in removals_of(database, name):
            await cuts.at_each_round_trip(name, CUTS[number // len(REMOVALS) % len(CUTS)], removal)
        await cuts.traces.leave_nothing()


class _Cuts:
    def __init__(self, database: Database, witness: Keep) -> None:
        self._database = database
        self._witness = witness
        self.traces = Traces(database, witness)

    async def at_each_round_trip(self, name: str, fault: Fault, removal: str | None = None) -> None:
        """Each in a bench of its own, all at the same time: the calls mostly wait for the server.

        Without a `removal` the session is used before it is deleted.
        """
        with small_steps(self._database.enrolment.small_steps):
            trips = await self._cut(name, fault, NEVER, removal)
            await all_of(self._cut(name, fault, nth, removal) for nth in range(1, trips + 1))

    async def _cut(self, name: str, fault: Fault, nth: int, removal: str | None) -> int:
        """How many round trips the write took, or began, of which the `nth` was cut."""
        async with bench_of(self._database, self._witness) as bench:
            victim, witness = await bench.furnished()
            word = f"w{uuid4().hex}"
            self.traces.add(bench.tenants, f"text {word}", f"{name}, {removal}: {fault} at round trip {nth}")
            await store(witness, word, is_over=name.startswith("create"))
            bench.proxy.arm(fault, nth=nth, then_refuse=True)
            bench.proxy.reset()
            await error_of(WRITES[name](victim, word))
            trips = bench.proxy.traffic.round_trips
            bench.proxy.restore()
            if removal is None:
                await _check(witness, word)
            await REMOVALS[removal or "delete"](witness, word)
            await witness.sweep()
            return trips


async def store(keep: View, word: str, *, is_over: bool) -> None:
    await keep.sessions.create(word, user_id="u")
    for first in range(1, _MESSAGES, 2):
        batch = [said(f"text {word} {number}", id=f"m{number}") for number in (first, first + 1)]
        await keep.messages.append(word, batch)
    if keep.capabilities.search:
        assert len(await keep.messages.search(word, session_id=word, limit=100)) == _MESSAGES
    if is_over:
        await keep.sessions.touch(word, ttl=0.001)
        await expired(keep, word)


async def _check(keep: View, word: str) -> None:
    """All ways to the messages agree, and the next writes count as many as there are.

    Nobody was told that the write landed, so a search may miss it until the next append and a sweep (SRCH-1).
    """
    session = await keep.sessions.get_or_create(word)
    found = await log(keep, word)
    assert (session.message_count, session.last_message_at) == (len(found), found[-1].created_at if found else None)
    asked = [f"m{number}" for number in range(1, _MESSAGES + 1)]
    assert set(await keep.messages.get_many(word, asked)) == set(ids(found)).intersection(asked)
    for user_id in ("u", "v"):
        assert await _searched(keep, word, user_id) <= _meant(session, found, word, user_id), user_id
    assert (await keep.messages.append(word, [said("after")])).last_seq == session.last_seq + 1
    await keep.sweep()
    if keep.capabilities.search:
        for user_id in ("u", "v"):
            assert await _searched(keep, word, user_id) == _meant(session, found, word, user_id), user_id
    assert await keep.messages.trim(word, keep_last=3) == max(0, len(found) - 2)
    left = await log(keep, word)
    assert await keep.messages.truncate(word, after_seq=1) == len([each for each in left if each.seq > 1])
    assert (await keep.sessions.get(word)).message_count == await keep.messages.count(word)


async def _searched(keep: View, word: str, user_id: str) -> set[str]:
    if not keep.capabilities.search:
        return set()
    hits = await keep.messages.search(word, session_id=word, user_id=user_id, limit=100)
    return {hit.message.id for hit in hits}


def _meant(session: Session, found: Sequence[Message], word: str, user_id: str) -> set[str]:
    return set(ids([each for each in found if session.user_id == user_id and word in str(each.content)]))
