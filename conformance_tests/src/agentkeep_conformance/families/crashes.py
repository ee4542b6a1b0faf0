"""Processes and servers killed under load: what was acknowledged is there, once; the rest whole or not at all."""

from __future__ import annotations

import asyncio

import pytest
from agentkeep import Keep, OutcomeUnknown, Unavailable, View

from agentkeep_conformance.children import report
from agentkeep_conformance.clauses import needs_wire, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.concurrency import rounds_of
from agentkeep_conformance.history import Event, Recorder
from agentkeep_conformance.leftovers import leaves_no_record
from agentkeep_conformance.logs import check_log, check_whole
from agentkeep_conformance.racing import batches_of, final_log, messages_of
from agentkeep_conformance.servers import NotRun

_SURVIVES_A_KILL = ("os", "fsync", "replicated")
"""The grades of durability under which a killed server's acknowledged writes are still there."""


async def append_until_killed(keep: View, who: str) -> None:
    """In a child process: append batches until killed; report each when it starts and when it is acknowledged."""
    for ids in batches_of(who):
        report({"started": ids})
        stored = await keep.messages.append("s", messages_of(ids), update={"state": {"last": ids[-1]}})
        report({"ids": ids, "seqs": [message.seq for message in stored]})


class Crashes:
    @proves("FLT-1", "ORD-2", "ORD-6", "CNT-1")
    async def test_a_killed_process_loses_nothing_acknowledged(self, database: Database, keep: Keep) -> None:
        version = (await keep.sessions.create("s")).version
        if not keep.capabilities.shared:
            return await self._a_killed_process_is_not_seen(database, keep)
        events: list[Event] = []
        for number in range(rounds_of(database, 4, nightly=40)):
            events += await _killed_after(database, f"k{number}", 1 + 7 * number % 40, at=len(events))
            await _settled(keep)
            final = await final_log(keep, "s")
            check_log(events, final)
            session = await keep.sessions.get("s")
            assert (session.message_count, session.last_seq) == (len(final), len(final))
            assert session.state == {"last": final[-1][1]}, "an append's update and messages did not land together"
            stored = {message_id for _, message_id in final}
            assert session.version == version + sum(event.argument["ids"][-1] in stored for event in events)
        await leaves_no_record(database, keep)

    async def _a_killed_process_is_not_seen(self, database: Database, keep: Keep) -> None:
        """Where nothing is shared, the child finds no session to append to."""
        child = await database.spawn(append_until_killed, "k")
        said = [line async for line in child.reports()]
        assert said == [{"started": ["k.0.0"]}]
        await child.kill()
        assert await keep.messages.count("s") == 0

    @proves("FLT-1", "FLT-2", "ERR-2", "IDEM-1")
    @needs_wire
    async def test_a_killed_server_loses_nothing_acknowledged(self, database: Database, keep: Keep, twin: Keep) -> None:
        await keep.sessions.create("s")
        writers = [Recorder(f"w{number}") for number in range(4)]
        done = asyncio.Event()
        work = [
            asyncio.create_task(_append_stubbornly((keep, twin)[number % 2], writer, done))
            for number, writer in enumerate(writers)
        ]
        try:
            for _ in range(rounds_of(database, 2)):
                await _until_all_wrote(writers, 5)
                await _kill_and_restart(database)
            await _until_all_wrote(writers, 5)
        finally:
            done.set()
            await asyncio.gather(*work)
        events = [event for writer in writers for event in writer.events]
        final = await final_log(keep, "s")
        if keep.capabilities.durability in _SURVIVES_A_KILL:
            check_log(events, final)
        else:
            check_whole(events, final)
        assert (await twin.sessions.get("s")).message_count == len(final)
        await leaves_no_record(database, twin)


async def _killed_after(database: Database, who: str, acknowledged: int, at: int) -> list[Event]:
    """The history of a child that was killed when it had reported so many appends; it begins behind event `at`."""
    child = await database.spawn(append_until_killed, who)
    events: list[Event] = []
    started: list[str] | None = None
    try:
        async for said in child.reports():
            started = said.get("started")
            if started is None:
                events.append(_event(who, said["ids"], said["seqs"], at + len(events)))
            if len(events) == acknowledged:
                child.process.kill()
    finally:
        await child.kill()
    assert len(events) >= acknowledged, "the child ended by itself"
    return events if started is None else [*events, _event(who, started, None, at + len(events))]


async def _settled(keep: View) -> None:
    """Wait until nothing lands any more: a server may still be at what the killed process had sent."""
    seen = None
    while (last_seq := (await keep.sessions.get("s")).last_seq) != seen:
        seen = last_seq
        await asyncio.sleep(0.3)


def _event(who: str, ids: list[str], seqs: list[int] | None, at: int) -> Event:
    """What a child's report says of one append; its time is its place in the history."""
    argument = {"ids": ids}
    if seqs is None:
        return Event(process=who, verb="append", argument=argument, outcome="unknown", started=at, ended=None)
    return Event(process=who, verb="append", argument=argument, outcome="ok", result=seqs, started=at, ended=at)


async def _append_stubbornly(keep: View, recorder: Recorder, done: asyncio.Event) -> None:
    """Append until told to stop, each batch again and again with the same ids until it is known to be there."""
    for ids in batches_of(recorder.process):
        if done.is_set():
            return
        async with recorder.record("append", {"ids": ids}) as recorded:
            recorded.result = await _until_stored(keep, ids)
        await asyncio.sleep(0.01)


async def _until_stored(keep: View, ids: list[str]) -> list[int]:
    async with asyncio.timeout(120):
        while True:
            try:
                return [message.seq for message in await keep.messages.append("s", messages_of(ids))]
            except (Unavailable, OutcomeUnknown):
                await asyncio.sleep(0.05)


async def _until_all_wrote(writers: list[Recorder], appends: int) -> None:
    wanted = [len(writer.events) + appends for writer in writers]
    async with asyncio.timeout(120):
        while any(len(writer.events) < count for writer, count in zip(writers, wanted, strict=True)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def _kill_and_restart(database: Database) -> None:
    server = database.enrolment.server
    try:
        await asyncio.to_thread(server.kill)
    except NotRun as reason:
        pytest.skip(f"NOT RUN: {reason}")
    await asyncio.to_thread(server.restart)
