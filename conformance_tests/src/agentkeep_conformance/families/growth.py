"""Costs in a database that grew from empty and whose statistics nobody gathered (COST-4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentkeep import Keep

from agentkeep_conformance import growth_verbs as verbs
from agentkeep_conformance.clauses import needs, proves, takes_long
from agentkeep_conformance.database import Database
from agentkeep_conformance.growth_verbs import Call
from agentkeep_conformance.samples import at_once, said

APPENDS: list[Call] = [
    lambda keep, number: keep.messages.append("long", [said("x")] * 3),
    lambda keep, number: keep.messages.append("long", [said("x", id=f"new{number}.{part}") for part in range(3)]),
    lambda keep, number: keep.messages.append("long", [said("x")], update={"title": f"t{number}"}, add={"n": 1}),
    lambda keep, number: keep.messages.append(f"made{number}", [said("x")], create={"user_id": "u1"}),
    lambda keep, number: keep.sessions.update("long", title=f"u{number}"),
]
READS: list[Call] = [
    lambda keep, number: keep.sessions.get("long"),
    lambda keep, number: keep.sessions.resume("long", tail=20),
    lambda keep, number: keep.messages.tail("long", 20),
    lambda keep, number: keep.messages.list("long", after=50, limit=20),
    lambda keep, number: keep.messages.get("long", "m7"),
    lambda keep, number: keep.messages.get_many("long", [f"m{n}" for n in range(10, 30)]),
    lambda keep, number: keep.sessions.get_many([f"s{n}" for n in range(20)]),
]
LISTINGS: list[Call] = [
    lambda keep, number: keep.sessions.list(limit=20),
    lambda keep, number: keep.sessions.list(limit=20, order="created_at"),
    lambda keep, number: keep.sessions.list(limit=20, order="-created_at", status="active"),
    lambda keep, number: keep.sessions.list(limit=20, user_id="u3"),
    lambda keep, number: keep.sessions.list(limit=20, user_id="u3", status="active"),
    lambda keep, number: keep.sessions.list(limit=20, metadata={"team": "t2"}),
    lambda keep, number: keep.sessions.find_active("u4"),
]
CALLS: dict[str, list[Call]] = {
    "appends": APPENDS,
    "changes": verbs.CHANGES,
    "removals": verbs.REMOVALS,
    "reads": [*READS, *verbs.READS],
}
BY_FILTER: dict[str, list[Call]] = {"filtered": verbs.FILTERED, "listings": LISTINGS}
SEARCHES: list[Call] = [verbs.search_in_a_session, verbs.search_of_a_user]
KINDS = CALLS | BY_FILTER | {"searches": SEARCHES}
_SMALL, _LARGE = 600, 2_400
"""Also the small log is so long that an adapter which moves old messages elsewhere has moved some of them."""
_ROUNDS = 10
_COUNTED_ROWS, _COUNTED_STEPS = 1_000, 5_000
"""A listing by two filters may count some hundred sessions of each, to choose the rarer one. To walk all sessions is
several times as much."""


async def grow(keep: Keep, have: int, want: int) -> None:
    """So many sessions of ten users and five teams, and as many messages in the sessions "long" and "cut"."""
    if have == 0:
        for name in ("long", "cut"):
            await keep.sessions.create(name, user_id="u0", metadata={"team": "t0"})
        await verbs.keep_some(keep)
    fields = [(f"s{n}", f"u{n % 10}", {"team": f"t{n % 5}"}) for n in range(have, want)]
    await at_once([keep.sessions.create(name, user_id=user, metadata=team) for name, user, team in fields])
    for start in range(have, want, 400):
        messages = [said("x", id=f"m{n}") for n in range(start, min(start + 400, want))]
        for name in ("long", "cut"):
            await keep.messages.append(name, messages)


async def run(keep: Keep, calls: Sequence[Call], first: int) -> None:
    for number in range(first, first + _ROUNDS):
        for call in calls:
            await call(keep, number)


class Growth:
    @takes_long
    @proves("COST-4", "READ-3", "SES-5", "SRCH-1")
    async def test_calls_are_no_more_work_once_the_database_has_grown(self, database: Database) -> None:
        """Of an embedded database all of its work; beside a server our own share."""
        costs = await _work_small_and_large(database, CALLS | {"searches": [verbs.search_in_a_session]})
        for kind, (few, many) in costs.items():
            assert many <= few * 1.5 + _ROUNDS * 50, f"{kind}: {few} steps in a small database, {many} in a large one"

    @takes_long
    @proves("COST-4", "READ-5")
    @needs("work", "it has no account of the database's own steps")
    async def test_listings_are_no_more_steps_once_the_database_has_grown(self, database: Database) -> None:
        costs = await _work_small_and_large(database, BY_FILTER | {"searches": [verbs.search_of_a_user]})
        for kind, (few, many) in costs.items():
            more = _ROUNDS * _COUNTED_STEPS
            assert many <= few * 1.5 + more, f"{kind}: {few} steps in a small database, {many} in a large one"

    @takes_long
    @proves("COST-4", "READ-5", "COST-1")
    @needs("server_work", "it has no server that tells what it did")
    async def test_the_server_does_no_more_once_the_database_has_grown(self, database: Database) -> None:
        """By the server's own account, for a keep that is as old as the database."""
        keep = await database.keep(**database.enrolment.one_connection)
        costs: dict[str, list[int]] = {kind: [] for kind in KINDS}
        have = 0
        for turn, want in enumerate((_SMALL, _LARGE)):
            await grow(keep, have, want)
            have = want
            for calls in KINDS.values():  # so often that a driver has prepared what it prepares
                await run(keep, calls, turn * 2 * _ROUNDS)
            before = await database.server_work(keep)
            for kind, calls in KINDS.items():
                await run(keep, calls, (turn * 2 + 1) * _ROUNDS)
                after = await database.server_work(keep)
                costs[kind].append(after - before)
                before = after
        for kind, (few, many) in costs.items():
            more = _COUNTED_ROWS if kind in BY_FILTER else 20
            assert many <= few * 1.5 + _ROUNDS * more, f"{kind}: {few} in a small database, {many} in a large one"


async def _work_small_and_large(database: Database, kinds: Mapping[str, Sequence[Call]]) -> dict[str, list[int]]:
    """The work of the calls of each kind on one keep, before and after the database has grown."""
    adapter = database.unopened()
    costs: dict[str, list[int]] = {kind: [] for kind in kinds}
    async with Keep(adapter) as keep:
        have = 0
        for turn, want in enumerate((_SMALL, _LARGE)):
            await grow(keep, have, want)
            have = want
            for kind, calls in kinds.items():
                await run(keep, calls, turn * 2 * _ROUNDS)  # what the growth left to be done is not the calls' own
                work = await database.enrolment.work(
                    adapter, lambda calls=calls, first=(turn * 2 + 1) * _ROUNDS: run(keep, calls, first)
                )
                costs[kind].append(work)
    return costs
