"""Several writers at once on one session: through two instances in tasks, never through one that a lock could save."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from agentkeep import AlreadyExists, Conflict, Keep, Message, Session, View

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.history import Recorder, explain
from agentkeep_conformance.leftovers import leaves_no_record
from agentkeep_conformance.logs import check_log
from agentkeep_conformance.racing import append, final_log, following, messages_of, outcomes, read, write_all
from agentkeep_conformance.sequential import ABSENT, Log, step


def rounds_of(database: Database, everyday: int, *, nightly: int | None = None) -> int:
    """Races are played again and again: one round may pass by luck. By night 40 times as often, where not said."""
    return everyday if database.tier == "everyday" else nightly or 40 * everyday


class Concurrency:
    @proves("ORD-1", "ORD-2", "ORD-3", "ORD-4", "ORD-5", "CNT-1")
    async def test_racing_appends_keep_one_order_and_readers_see_it(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        for number in range(rounds_of(database, 3)):
            session_id = f"s{number}"
            await keep.sessions.create(session_id)
            recorders = [Recorder(f"w{writer}") for writer in range(6)]
            readers = [Recorder("r0"), Recorder("r1")]
            async with following(keep, readers[0], session_id), following(twin, readers[1], session_id):
                writers = zip(recorders, (keep, twin) * 3, strict=True)
                await asyncio.gather(*(write_all(instance, writer, session_id, 9) for writer, instance in writers))
            final = await final_log(keep, session_id)
            check_log([event for recorder in recorders + readers for event in recorder.events], final)
            explain([event for recorder in recorders for event in recorder.events], Log(), step)
            assert len(final) == 6 * (1 + 2 + 3) * 3
            await self._counters_are_exact(twin, session_id)

    @proves("CNT-1", "ORD-1", "ORD-4", "ORD-5")
    async def test_racing_writers_of_all_kinds_can_be_put_in_order(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        for number in range(rounds_of(database, 6)):
            session_id = f"s{number}"
            await keep.sessions.create(session_id)
            await keep.messages.append(session_id, messages_of(["a", "b", "c"]))
            initial = Log(3, ((1, "a"), (2, "b"), (3, "c")))
            recorders = [Recorder(f"{verb}{instance}") for verb in _VERBS for instance in (0, 1)]
            work = zip(recorders, [(verb, instance) for verb in _VERBS for instance in (keep, twin)], strict=True)
            await asyncio.gather(*(_VERBS[verb](instance, recorder, session_id) for recorder, (verb, instance) in work))
            explain([event for recorder in recorders for event in recorder.events], initial, step)
            await self._counters_are_exact(keep, session_id)
        await leaves_no_record(database, keep)

    async def _counters_are_exact(self, keep: Keep, session_id: str) -> None:
        session = await keep.sessions.get(session_id)
        log = [message async for message in keep.messages.iterate(session_id)]
        assert session.message_count == len(log) == await keep.messages.count(session_id)
        assert session.last_message_at == (log[-1].created_at if log else None)
        assert session.last_seq >= (log[-1].seq if log else 0)

    @proves("CNT-1")
    async def test_each_message_is_popped_once(self, keep: Keep, twin: Keep) -> None:
        await keep.sessions.create("s")
        await keep.messages.append("s", messages_of([f"m{number}" for number in range(30)]))

        async def pop_all(instance: Keep) -> list[Message]:
            return [message async for message in _until_none(instance)]

        popped = await asyncio.gather(*(pop_all(instance) for instance in (keep, twin) * 3))
        seqs = [message.seq for messages in popped for message in messages]
        assert sorted(seqs) == list(range(1, 31))
        assert all(messages == sorted(messages, key=lambda m: -m.seq) for messages in popped)
        session = await keep.sessions.get("s")
        assert (session.message_count, session.last_seq, session.last_message_at) == (0, 30, None)

    @proves("SES-1")
    async def test_one_creator_wins(self, database: Database, keep: Keep, twin: Keep) -> None:
        for number in range(rounds_of(database, 8)):
            found = await outcomes([(keep, twin)[n % 2].sessions.create(f"s{number}", title=f"{n}") for n in range(10)])
            [winner] = [session for session in found if isinstance(session, Session)]
            assert [type(error) for error in found if error is not winner] == [AlreadyExists] * 9
            assert await twin.sessions.get(f"s{number}") == winner

    @proves("SES-1")
    async def test_all_who_get_or_create_get_one_session(self, database: Database, keep: Keep, twin: Keep) -> None:
        for number in range(rounds_of(database, 8)):
            found = await asyncio.gather(
                *((keep, twin)[n % 2].sessions.get_or_create(f"s{number}", title=f"{n}") for n in range(10))
            )
            assert len({session.title for session in found}) == 1
            assert all(session == found[0] for session in found)
        assert await keep.sessions.count() == rounds_of(database, 8)

    @proves("SES-2")
    async def test_one_compare_and_swap_wins_a_round(self, database: Database, keep: Keep, twin: Keep) -> None:
        first = (await keep.sessions.create("s")).version
        for version in range(first, first + rounds_of(database, 10)):
            found = await outcomes(
                [
                    (keep, twin)[n % 2].sessions.update("s", expected_version=version, title=f"{version}.{n}")
                    for n in range(8)
                ]
            )
            [winner] = [session for session in found if isinstance(session, Session)]
            losers = [error for error in found if isinstance(error, Conflict)]
            assert [(error.expected, error.actual) for error in losers] == [(version, version + 1)] * 7
            assert await twin.sessions.get("s") == winner

    @proves("ORD-4", "ORD-6")
    async def test_one_stale_appender_wins_and_nothing_of_the_others_lands(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        await keep.sessions.create("s")
        for last_seq in range(0, 2 * rounds_of(database, 10), 2):
            found = await outcomes(
                [
                    (keep, twin)[n % 2].messages.append(
                        "s",
                        messages_of([f"{last_seq}.{n}.a", f"{last_seq}.{n}.b"]),
                        expected_last_seq=last_seq,
                        update={"title": f"{last_seq}.{n}"},
                    )
                    for n in range(8)
                ]
            )
            [winner] = [messages for messages in found if not isinstance(messages, BaseException)]
            losers = [error for error in found if isinstance(error, Conflict)]
            assert [(error.expected, error.actual) for error in losers] == [(last_seq, last_seq + 2)] * 7
            assert await twin.messages.list("s", after=last_seq) == await keep.messages.list("s", after=last_seq)
            assert (await twin.messages.list("s", after=last_seq)).items == list(winner)
            assert (await keep.sessions.get("s")).title == winner[0].id.removesuffix(".a")

    @proves("SES-2")
    async def test_racing_updates_of_different_fields_all_stay(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        for number in range(rounds_of(database, 8)):
            session_id = f"s{number}"
            before = await keep.sessions.create(session_id)
            await asyncio.gather(
                keep.sessions.update(session_id, title="t"),
                twin.sessions.update(session_id, current_route="r"),
                keep.sessions.update(session_id, state={"n": 1}),
                twin.sessions.update(session_id, metadata={"k": "v"}),
                keep.messages.append(session_id, messages_of(["m"]), update={"agent_name": "a"}),
                twin.sessions.update(session_id, status="completed"),
            )
            session = await keep.sessions.get(session_id)
            fields = (session.title, session.current_route, session.state, session.metadata, session.agent_name)
            assert fields == ("t", "r", {"n": 1}, {"k": "v"}, "a")
            assert (session.status, session.message_count) == ("completed", 1)
            assert session.version == before.version + 6
            assert [found.id for found in (await twin.sessions.list(metadata={"k": "v"}, limit=1000)).items].count(
                session_id
            ) == 1

    @proves("SES-4", "ORD-5")
    async def test_nothing_resurrects_a_session_that_is_being_deleted(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        for number in range(rounds_of(database, 8)):
            session_id = f"s{number}"
            await keep.sessions.create(session_id)
            recorders = [Recorder(f"w{n}") for n in range(5)]
            await asyncio.gather(
                *(write_all((keep, twin)[n % 2], recorders[n], session_id, 4) for n in range(4)),
                _delete_soon(twin, recorders[4], session_id, after=number),
            )
            explain([event for recorder in recorders for event in recorder.events], Log(), step)
            assert await keep.sessions.find(session_id) is None
            fresh = await twin.sessions.create(session_id)
            assert (fresh.message_count, fresh.last_seq) == (0, 0)
            assert [message.seq for message in await keep.messages.append(session_id, messages_of(["z"]))] == [1]
        await leaves_no_record(database, keep)

    @proves("SES-1", "SES-4", "ORD-1")
    async def test_creating_deleting_and_appending_can_be_put_in_order(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        for number in range(rounds_of(database, 4)):
            session_id = f"s{number}"
            recorders = [Recorder(f"{n}") for n in range(6)]
            await asyncio.gather(*(_come_and_go((keep, twin)[n % 2], recorders[n], session_id) for n in range(6)))
            explain([event for recorder in recorders for event in recorder.events], ABSENT, step)
        await leaves_no_record(database, keep)

    @proves("IDEM-1")
    async def test_one_batch_appended_by_many_at_once_lands_once(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        await keep.sessions.create("s")
        for number in range(rounds_of(database, 8)):
            batch = messages_of([f"{number}.a", f"{number}.b"])
            found = await asyncio.gather(*((keep, twin)[n % 2].messages.append("s", batch) for n in range(8)))
            assert all(list(stored) == list(found[0]) for stored in found)
            assert {(stored.version, stored.last_seq) for stored in found} == {(found[0].version, 2 * number + 2)}
            assert sorted(stored.new for stored in found) == [0] * 7 + [2]
            assert await keep.messages.count("s") == 2 * (number + 1)

    @proves("SES-5", "ORD-2")
    async def test_a_fork_during_appends_is_a_prefix_of_the_log(self, keep: Keep, twin: Keep) -> None:
        await keep.sessions.create("s")
        recorder = Recorder("w")

        async def fork_some() -> list[Session]:
            return [await twin.sessions.fork("s") for _ in range(5)]

        _, forks = await asyncio.gather(write_all(keep, recorder, "s", 30), fork_some())
        final = await final_log(keep, "s")
        ends = {0} | {event.result[-1] for event in recorder.events}
        for fork in forks:
            assert fork.last_seq in ends
            assert await final_log(keep, fork.id) == final[: fork.last_seq]


async def _until_none(keep: View) -> AsyncGenerator[Message, None]:
    while (message := await keep.messages.pop("s")) is not None:
        yield message


async def _pop_some(keep: View, recorder: Recorder, session_id: str) -> None:
    for _ in range(3):
        async with recorder.record("pop") as recorded:
            message = await keep.messages.pop(session_id)
            recorded.result = message and [message.seq, message.id]


async def _truncate_some(keep: View, recorder: Recorder, session_id: str) -> None:
    for after_seq in (6, 4):
        async with recorder.record("truncate", {"after_seq": after_seq}) as recorded:
            recorded.result = await keep.messages.truncate(session_id, after_seq=after_seq)


async def _trim_some(keep: View, recorder: Recorder, session_id: str) -> None:
    for keep_last in (3, 2):
        async with recorder.record("trim", {"keep_last": keep_last}) as recorded:
            recorded.result = await keep.messages.trim(session_id, keep_last=keep_last)


async def _read_some(keep: View, recorder: Recorder, session_id: str) -> None:
    for _ in range(3):
        await read(keep, recorder, session_id)


async def _append_some(keep: View, recorder: Recorder, session_id: str) -> None:
    await write_all(keep, recorder, session_id, 3)


async def _append_what_is_expected(keep: View, recorder: Recorder, session_id: str) -> None:
    for last_seq in (3, 6):
        await append(keep, recorder, session_id, [f"{recorder.process}.{last_seq}"], last_seq)


_VERBS = {
    "append": _append_some,
    "expect": _append_what_is_expected,
    "pop": _pop_some,
    "read": _read_some,
    "truncate": _truncate_some,
    "trim": _trim_some,
}


async def _delete_soon(keep: View, recorder: Recorder, session_id: str, *, after: int) -> None:
    for _ in range(after):
        await asyncio.sleep(0)
    async with recorder.record("delete") as recorded:
        recorded.result = await keep.sessions.delete(session_id)


async def _come_and_go(keep: View, recorder: Recorder, session_id: str) -> None:
    for number in range(3):
        async with recorder.record("create"):
            await keep.sessions.create(session_id)
        await append(keep, recorder, session_id, [f"{recorder.process}.{number}"])
        await read(keep, recorder, session_id)
        async with recorder.record("delete") as recorded:
            recorded.result = await keep.sessions.delete(session_id)
