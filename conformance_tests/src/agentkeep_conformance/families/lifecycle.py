"""Opening, closing, and what both promise."""

from __future__ import annotations

import asyncio
import os
from contextlib import aclosing, suppress
from pathlib import Path

import pytest
from agentkeep import Appended, Closed, Keep, NewMessage, PersistenceError, SchemaMissing, View

from agentkeep_conformance.clauses import needs, needs_files, needs_wire, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.watching import watches
from agentkeep_conformance.proxy import Proxy
from agentkeep_conformance.samples import PATIENCE_SECONDS, Verb, said, whole

VERBS: dict[str, Verb] = {
    "sessions.create": lambda keep: keep.sessions.create("s"),
    "sessions.get": lambda keep: keep.sessions.get("s"),
    "sessions.find": lambda keep: keep.sessions.find("s"),
    "sessions.get_or_create": lambda keep: keep.sessions.get_or_create("s"),
    "sessions.get_many": lambda keep: keep.sessions.get_many(["s"]),
    "sessions.resume": lambda keep: keep.sessions.resume("s"),
    "sessions.update": lambda keep: keep.sessions.update("s", title="t"),
    "sessions.list": lambda keep: keep.sessions.list(),
    "sessions.iterate": lambda keep: anext(keep.sessions.iterate()),
    "sessions.count": lambda keep: keep.sessions.count(),
    "sessions.find_active": lambda keep: keep.sessions.find_active("u"),
    "sessions.touch": lambda keep: keep.sessions.touch("s"),
    "sessions.fork": lambda keep: keep.sessions.fork("s"),
    "sessions.delete": lambda keep: keep.sessions.delete("s"),
    "sessions.delete_many": lambda keep: keep.sessions.delete_many(user_id="u"),
    "sessions.delete_user": lambda keep: keep.sessions.delete_user("u"),
    "messages.append": lambda keep: keep.messages.append("s", [NewMessage(role="user")]),
    "messages.update": lambda keep: keep.messages.update("s", "m", content="c"),
    "messages.list": lambda keep: keep.messages.list("s"),
    "messages.iterate": lambda keep: anext(keep.messages.iterate("s")),
    "messages.tail": lambda keep: keep.messages.tail("s", 5),
    "messages.get": lambda keep: keep.messages.get("s", "m"),
    "messages.get_many": lambda keep: keep.messages.get_many("s", ["m"]),
    "messages.count": lambda keep: keep.messages.count("s"),
    "messages.truncate": lambda keep: keep.messages.truncate("s", after_seq=0),
    "messages.trim": lambda keep: keep.messages.trim("s", keep_last=1),
    "messages.pop": lambda keep: keep.messages.pop("s"),
    "messages.clear": lambda keep: keep.messages.clear("s"),
    "messages.search": lambda keep: keep.messages.search("x"),
    "messages.watch": lambda keep: anext(keep.messages.watch("s", after_seq=0)),
    "health": lambda keep: keep.health(),
    "sweep": lambda keep: keep.sweep(),
}
"""Every verb of the facade."""


WITHOUT_WORK: dict[str, Verb] = {
    "sessions.get_many of none": lambda keep: keep.sessions.get_many([]),
    "sessions.delete_many, dry run": lambda keep: keep.sessions.delete_many(user_id="u", dry_run=True),
    "messages.append of nothing": lambda keep: keep.messages.append("s", []),
    "messages.append with options": lambda keep: keep.messages.append("s", [], update={"title": "t"}),
    "messages.get_many of none": lambda keep: keep.messages.get_many("s", []),
    "messages.search of no words": lambda keep: keep.messages.search(" "),
    "sweep of a view": lambda keep: keep.for_user("u").sweep(),
    "health of a view": lambda keep: keep.for_user("u").health(),
}
"""Calls for which core may have an answer without the adapter, or another way to it."""


def open_files_below(folder: str) -> list[str]:
    """Which files in a folder this process has open."""
    files = {(file.stat().st_dev, file.stat().st_ino): file.name for file in Path(folder).rglob("*")}
    held: list[str] = []
    for descriptor in os.listdir("/dev/fd"):
        with suppress(OSError):  # the descriptor of this listing is closed by now
            stat = os.fstat(int(descriptor))
            held += [files[key] for key in [(stat.st_dev, stat.st_ino)] if key in files]
    return held


USES: dict[str, tuple[int, int]] = {"one task": (1, 1), "opened by three": (3, 1), "closed by three": (1, 3)}
"""How many tasks open one instance at once, and how many close it."""


async def use(keep: Keep, openers: int) -> None:
    await asyncio.gather(*(keep.open() for _ in range(openers)))
    await keep.messages.append("s", [said()], create={})
    assert len(await keep.messages.tail("s", 1)) == 1


async def closed_by(keep: Keep, closers: int) -> None:
    await asyncio.gather(*(keep.close() for _ in range(closers)))


async def count_sessions(keep: View) -> int:
    """In a child process: how many sessions are there."""
    return await keep.sessions.count()


async def _no_connection(proxy: Proxy) -> None:
    """Return when nothing holds a connection."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while proxy.connections:  # noqa: ASYNC110 - it waits for the network
            await asyncio.sleep(0.01)


class LifeCycle:
    @proves("LIFE-2")
    @pytest.mark.parametrize("verb", [*VERBS, *WITHOUT_WORK])
    async def test_use_outside_open_and_close_is_closed(self, database: Database, verb: str) -> None:
        call = (VERBS | WITHOUT_WORK)[verb]
        never = Keep(database.unopened())
        with pytest.raises(Closed):
            await call(never)
        closed = await database.keep()
        await closed.close()
        with pytest.raises(Closed):
            await call(closed)

    @proves("LIFE-2")
    async def test_open_and_close_are_idempotent(self, database: Database) -> None:
        keep = await database.keep()
        await keep.sessions.create("s")
        await keep.open()
        assert (await keep.sessions.get("s")).id == "s"
        await keep.close()
        await keep.close()
        await Keep(database.unopened()).close()

    @proves("LIFE-2", "ORD-5")
    async def test_what_was_written_outlives_the_instance_that_wrote_it(self, database: Database) -> None:
        first = await database.keep()
        await first.sessions.create("s", title="kept")
        await first.messages.append("s", [NewMessage(role="user", content="hello", id="m")])
        await database.keep()
        await first.close()
        again = await database.keep()
        assert (await again.sessions.get("s")).title == "kept"
        assert (await again.messages.get("s", "m")).content == "hello"
        assert (await again.messages.append("s", [NewMessage(role="user")]))[0].seq == 2

    @proves("LIFE-2")
    async def test_an_instance_opened_again_goes_on(self, database: Database) -> None:
        keep = await database.keep()
        await database.keep()
        await keep.sessions.create("s")
        await keep.close()
        await keep.open()
        assert (await keep.sessions.get("s")).id == "s"

    @proves("LIFE-2")
    @needs_files
    @pytest.mark.parametrize("who", USES)
    async def test_a_closed_instance_holds_no_file_open(self, database: Database, who: str) -> None:
        openers, closers = USES[who]
        keep = Keep(database.unopened())
        await use(keep, openers)
        await closed_by(keep, closers)
        assert not open_files_below(database.dsn)

    @proves("LIFE-2")
    @needs_wire
    @pytest.mark.parametrize("who", USES)
    async def test_a_closed_instance_holds_no_connection_open(self, database: Database, who: str) -> None:
        address = database.enrolment.server.address
        assert address is not None
        openers, closers = USES[who]
        async with Proxy(*address) as proxy:
            keep = Keep(database.enrolment.open(proxy.through(database.dsn), database.namespace))
            await use(keep, openers)
            assert proxy.connections > 0
            await closed_by(keep, closers)
            await _no_connection(proxy)

    @proves("LIFE-2", "WATCH-1")
    @needs_wire
    async def test_closing_ends_the_connection_of_a_watch_that_nobody_reads_on(
        self, database: Database, keep: Keep
    ) -> None:
        address = database.enrolment.server.address
        assert address is not None
        if await watches(database, keep):
            async with Proxy(*address) as proxy:
                other = Keep(database.enrolment.open(proxy.through(database.dsn), database.namespace))
                await other.open()
                await other.messages.append("s", [said()], create={})
                async with aclosing(other.messages.watch("s", after_seq=0)) as messages:
                    assert (await anext(messages)).seq == 1
                    await other.close()
                    await _no_connection(proxy)
                    with pytest.raises(Closed):
                        await anext(messages)

    @proves("LIFE-1", "LIFE-2")
    @needs_wire
    @needs("has_schema", "it has no schema")
    async def test_an_open_that_fails_leaves_no_connection_open(self, database: Database) -> None:
        address = database.enrolment.server.address
        assert address is not None
        async with Proxy(*address) as proxy:
            dsn = proxy.through(database.dsn)
            keep = Keep(database.enrolment.open(dsn, database.namespace, manage_schema=False))
            for _ in range(2):
                with pytest.raises(SchemaMissing):
                    await keep.open()
                await _no_connection(proxy)
            async with Keep(database.enrolment.open(database.dsn, database.namespace)):
                await keep.open()
            await keep.messages.append("s", [said()], create={})
            assert proxy.connections > 0, "they were counted"
            await keep.close()

    @proves("LIFE-2")
    async def test_closing_one_instance_leaves_the_others_open(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        await twin.close()
        await keep.sessions.create("s")
        assert await keep.sessions.count() == 1

    @proves("LIFE-2")
    @needs("over_client", "it takes no client of the caller's")
    async def test_what_the_caller_gave_stays_open(self, database: Database) -> None:
        async with database.enrolment.over_client(database.dsn, database.namespace) as over:
            for _ in range(2):
                async with Keep(over.adapter) as keep:
                    assert (await keep.sessions.get_or_create("s")).id == "s"
                assert await over.client_works()
            await over.adapter.close()
            assert await over.client_works()

    @proves("LIFE-1")
    async def test_twenty_instances_open_an_empty_database_at_once(self, database: Database) -> None:
        keeps = await asyncio.gather(*(database.keep() for _ in range(20)))
        await asyncio.gather(*(keep.sessions.create(f"s{n}") for n, keep in enumerate(keeps)))
        assert {await keep.sessions.count() for keep in keeps} == {20}

    @proves("LIFE-1")
    async def test_opening_changes_nothing_that_is_stored(self, database: Database, keep: Keep) -> None:
        await keep.sessions.create("s", user_id="u", metadata={"k": 1})
        await keep.messages.append("s", [NewMessage(role="user", content="hello")])
        before = await whole(keep, "s")
        for _ in range(3):
            assert await whole(await database.keep(), "s") == before

    @proves("LIFE-2")
    async def test_closing_while_calls_run_ends_them_cleanly(self, database: Database, keep: Keep) -> None:
        busy = await database.keep()
        await busy.sessions.create("s")
        calls = [asyncio.create_task(busy.messages.append("s", [NewMessage(role="user")])) for _ in range(20)]
        await asyncio.sleep(0)
        await busy.close()
        async with asyncio.timeout(PATIENCE_SECONDS):
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(outcome, Appended | PersistenceError) for outcome in outcomes), outcomes
        acknowledged = sum(isinstance(outcome, Appended) for outcome in outcomes)
        assert await keep.messages.count("s") >= acknowledged

    @proves("LIFE-3")
    async def test_a_second_event_loop_works_or_is_told_what_to_do(self, database: Database, keep: Keep) -> None:
        await keep.sessions.create("s")

        def in_a_loop_of_its_own() -> str:
            try:
                return asyncio.run(keep.sessions.get("s")).id
            except PersistenceError as error:
                return str(error)

        async with asyncio.timeout(PATIENCE_SECONDS):
            told = await asyncio.to_thread(in_a_loop_of_its_own)
        assert told == "s" or "loop" in told
        assert (await keep.sessions.get("s")).id == "s"
        await keep.messages.append("s", [NewMessage(role="user")])
        assert await keep.messages.count("s") == 1

    @proves("ORD-5")
    async def test_a_second_process_sees_the_data_where_it_is_shared(self, database: Database, keep: Keep) -> None:
        await keep.sessions.create("s")
        assert await database.in_process(count_sessions) == (1 if keep.capabilities.shared else 0)
