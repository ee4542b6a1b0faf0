"""Several processes at once on one database. Each has data of its own if the adapter is not shared."""

from __future__ import annotations

from agentkeep import Keep

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.concurrency import rounds_of
from agentkeep_conformance.logs import check_log
from agentkeep_conformance.racing import (
    PROCESSES,
    START,
    count_up_in_child,
    create_in_child,
    final_log,
    first_open_in_child,
    in_children,
    merged,
    write_in_child,
)

_OPENERS = 20


class Processes:
    @proves("ORD-1", "ORD-2", "ORD-3", "ORD-4", "ORD-5", "CNT-1")
    async def test_processes_append_to_one_log(self, database: Database, keep: Keep) -> None:
        if not keep.capabilities.shared:
            return await self._processes_share_nothing(database, keep)
        for name in (START, "s"):
            await keep.sessions.create(name)
        results = await in_children(database, write_in_child, "s", rounds_of(database, 40), PROCESSES)
        final = await final_log(keep, "s")
        check_log(merged(results), final)
        session = await keep.sessions.get("s")
        assert (session.message_count, session.last_seq) == (len(final), len(final))
        assert len(final) >= PROCESSES * rounds_of(database, 40)

    @proves("SES-1")
    async def test_one_process_creates_a_session(self, database: Database, keep: Keep) -> None:
        if not keep.capabilities.shared:
            return await self._processes_share_nothing(database, keep)
        await keep.sessions.create(START)
        ids = [f"s{number}" for number in range(rounds_of(database, 15))]
        results = await in_children(database, create_in_child, ids, PROCESSES)
        for said in zip(*(result["created"] for result in results), strict=True):
            assert sorted(said) == ["AlreadyExists"] * (PROCESSES - 1) + ["created"]
        for got in zip(*(result["got"] for result in results), strict=True):
            assert all(found == got[0] for found in got)

    @proves("SES-2")
    async def test_processes_count_up_by_compare_and_swap(self, database: Database, keep: Keep) -> None:
        if not keep.capabilities.shared:
            return await self._processes_share_nothing(database, keep)
        await keep.sessions.create(START)
        version = (await keep.sessions.create("s", state={"n": 0})).version
        rounds = rounds_of(database, 15)
        won = await in_children(database, count_up_in_child, "s", rounds, PROCESSES)
        assert sorted(value for values in won for value in values) == list(range(1, PROCESSES * rounds + 1))
        session = await keep.sessions.get("s")
        assert (session.state, session.version) == ({"n": PROCESSES * rounds}, version + PROCESSES * rounds)

    @proves("LIFE-1", "SES-1", "ORD-4")
    async def test_20_processes_open_an_empty_database_at_once(self, database: Database) -> None:
        seqs = await in_children(database, first_open_in_child, processes=_OPENERS)
        keep = await database.keep()
        if not keep.capabilities.shared:
            assert seqs == [[1]] * _OPENERS
            assert await keep.sessions.count() == 0
            return
        assert sorted(seqs) == [[number] for number in range(1, _OPENERS + 1)]
        assert await keep.messages.count("first") == _OPENERS

    async def _processes_share_nothing(self, database: Database, keep: Keep) -> None:
        await keep.sessions.create("first")
        assert await in_children(database, first_open_in_child, processes=2) == [[1], [1]]
        assert await keep.messages.count("first") == 0
