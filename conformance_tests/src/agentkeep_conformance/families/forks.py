"""Forks: a copy of a session's log up to a seq (SES-5)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from agentkeep import AlreadyExists, Conflict, InvalidInput, Keep, Message, SessionNotFound, View
from agentkeep.sessions import Order
from msgspec.structs import asdict

from agentkeep_conformance.clauses import needs, needs_wire, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families import cost
from agentkeep_conformance.families.concurrency import rounds_of
from agentkeep_conformance.families.faults import bench_of
from agentkeep_conformance.samples import FULL_SESSION, ids, log, numbered, said, seqs, whole


def without_session(messages: list[Message]) -> list[dict[str, Any]]:
    return [asdict(message) | {"session_id": None} for message in messages]


class Forks:
    @proves("SES-5", "SRCH-1")
    async def test_what_was_redacted_before_a_fork_is_redacted_again_in_it(self, keep: Keep, twin: Keep) -> None:
        """Also if an adapter numbers its replacements: the copy may not begin with smaller numbers."""
        await keep.messages.append("s", numbered(3), create={})
        for number in range(5):
            await keep.sessions.update("s", title=f"t{number}")
        if keep.capabilities.search:
            await keep.messages.search("x", session_id="s")  # some adapters then store messages in another place
        redacted = await keep.messages.update("s", "m1", content="secret")
        await keep.sessions.fork("s", new_id="copy")
        again = await keep.messages.update("copy", redacted.id, content="gone")
        assert (again.content, (await twin.messages.get("copy", "m1")).content) == ("gone", "gone")
        assert (await twin.messages.get("s", "m1")).content == "secret"
        if keep.capabilities.search:
            assert await twin.messages.search("secret", session_id="copy") == []
            assert len(await twin.messages.search("gone", session_id="copy")) == 1

    @proves("SES-5")
    async def test_a_fork_copies_the_log_up_to_a_seq_and_the_data(self, keep: Keep, twin: Keep) -> None:
        await keep.sessions.create("s", **FULL_SESSION)
        await keep.messages.append("s", numbered(5))
        await keep.sessions.update("s", status="completed", current_route="r", current_step="t")
        before = await whole(keep, "s")
        copy = await twin.sessions.fork("s", at_seq=3, new_id="copy")
        assert (copy.id, copy.parent_id, copy.forked_at_seq) == ("copy", "s", 3)
        assert (copy.status, copy.completed_at) == ("active", None)
        assert copy.version != before[0].version
        assert (copy.last_seq, copy.message_count) == (3, 3)
        copied = {name: value for name, value in asdict(copy).items() if name in FULL_SESSION}
        assert copied == FULL_SESSION | {"title": copied["title"]}
        assert copy == await keep.sessions.get("copy")
        messages = await log(keep, "copy")
        assert {message.session_id for message in messages} == {"copy"}
        assert without_session(messages) == without_session(before[1][:3])
        assert copy.last_message_at == messages[-1].created_at
        assert await whole(keep, "s") == before

    @proves("SES-5")
    async def test_without_a_seq_a_fork_copies_all_and_gets_a_fresh_id(self, keep: Keep) -> None:
        await keep.sessions.create("s")
        await keep.messages.append("s", numbered(4))
        copies = [await keep.sessions.fork("s") for _ in range(2)]
        assert len({"s", *ids(copies)}) == 3
        assert [copy.forked_at_seq for copy in copies] == [4, 4]
        assert ids(await log(keep, copies[0].id)) == ["m1", "m2", "m3", "m4"]

    @proves("SES-5", "ORD-1")
    async def test_fork_and_parent_go_on_apart(self, keep: Keep) -> None:
        await keep.sessions.create("s", metadata={"k": "v"})
        await keep.messages.append("s", numbered(3))
        await keep.sessions.fork("s", at_seq=2, new_id="copy")
        assert seqs(await keep.messages.append("copy", [said("theirs")])) == [3]
        assert seqs(await keep.messages.append("s", [said("ours")])) == [4]
        await keep.messages.update("copy", "m1", content="redacted")
        await keep.sessions.update("copy", metadata={"k": "w"})
        await keep.messages.trim("copy", keep_last=2)
        assert [message.content for message in await log(keep, "s")] == ["text 1", "text 2", "text 3", "ours"]
        assert [message.content for message in await log(keep, "copy")] == ["text 2", "theirs"]
        assert await keep.sessions.count(metadata={"k": "v"}) == 1
        assert await keep.sessions.delete("s")
        assert [message.content for message in await log(keep, "copy")] == ["text 2", "theirs"]

    @proves("SES-5")
    async def test_a_fork_of_the_whole_log_goes_on_apart_too(self, keep: Keep, twin: Keep) -> None:
        await keep.sessions.create("s")
        await keep.messages.append("s", numbered(3))
        await keep.sessions.fork("s", new_id="copy")
        await twin.messages.append("copy", [said("theirs")])
        await keep.messages.update("s", "m2", content="redacted")
        await keep.messages.pop("s")
        assert [message.content for message in await log(twin, "s")] == ["text 1", "redacted"]
        assert [message.content for message in await log(keep, "copy")] == ["text 1", "text 2", "text 3", "theirs"]

    @proves("SES-5", "IDEM-1", "IDEM-3")
    @pytest.mark.parametrize("drawn", [False, True], ids=["given ids", "drawn ids"])
    @pytest.mark.parametrize("size", [3, 300])
    async def test_the_copied_ids_are_keys_in_the_fork_too(self, keep: Keep, size: int, drawn: bool) -> None:
        await keep.sessions.create("s")
        batch = [said(f"text {number}") for number in range(size)] if drawn else numbered(size)
        given = [said(message.content, id=message.id) for message in await keep.messages.append("s", batch)]
        await keep.sessions.fork("s", at_seq=size - 1, new_id="copy")
        assert seqs(await keep.messages.append("copy", given[:2])) == [1, 2]
        assert seqs(await keep.messages.append("copy", given[-3:-1])) == [size - 2, size - 1]
        with pytest.raises(Conflict):
            await keep.messages.append("copy", [said("other", id=given[0].id)])
        assert seqs(await keep.messages.append("copy", [said("other", id=given[-1].id)])) == [size]
        assert await keep.messages.count("copy") == size
        assert (await keep.messages.get("s", str(given[-1].id))).content == given[-1].content

    @proves("SES-5", "READ-5")
    async def test_a_fork_is_found_by_its_parent_and_its_metadata(self, keep: Keep) -> None:
        await keep.sessions.create("s", user_id="u1", agent_name="a", metadata={"k": "v"})
        await keep.sessions.create("t", metadata={"k": "v"})
        copy = await keep.sessions.fork("s", new_id="copy")
        assert (await keep.sessions.list(parent_id="s")).items == [copy]
        assert await keep.sessions.count(metadata={"k": "v"}, user_id="u1", agent_name="a") == 2
        orders: dict[Order, list[str]] = {"created_at": ["s", "t", "copy"], "-created_at": ["copy", "t", "s"]}
        for order, expected in orders.items():
            assert ids((await keep.sessions.list(order=order, metadata={"k": "v"})).items) == expected

    @proves("SES-5")
    async def test_a_fork_at_0_is_empty_and_one_of_a_cut_log_keeps_its_seqs(self, keep: Keep) -> None:
        await keep.sessions.create("s")
        await keep.messages.append("s", numbered(6))
        await keep.messages.trim("s", keep_last=4)
        await keep.messages.pop("s")
        empty = await keep.sessions.fork("s", at_seq=0)
        assert (empty.last_seq, empty.message_count, empty.last_message_at) == (0, 0, None)
        assert seqs(await keep.messages.append(empty.id, [said()])) == [1]
        copy = await keep.sessions.fork("s", at_seq=4)
        assert seqs(await log(keep, copy.id)) == [3, 4]
        above = await keep.sessions.fork("s")
        assert (above.forked_at_seq, above.message_count) == (6, 3)
        assert seqs(await keep.messages.append(above.id, [said()])) == [7]

    @proves("SES-5")
    async def test_a_fork_of_a_fork(self, keep: Keep) -> None:
        await keep.sessions.create("s")
        await keep.messages.append("s", numbered(3))
        await keep.sessions.fork("s", at_seq=2, new_id="one")
        await keep.messages.append("one", [said("x", id="x")])
        two = await keep.sessions.fork("one", new_id="two")
        assert (two.parent_id, two.forked_at_seq) == ("one", 3)
        assert ids(await log(keep, "two")) == ["m1", "m2", "x"]

    @proves("SES-5", "SES-1")
    async def test_a_fork_that_cannot_be_leaves_nothing(self, keep: Keep) -> None:
        await keep.sessions.create("s")
        await keep.messages.append("s", numbered(2))
        await keep.sessions.create("taken", title="mine")
        before = await whole(keep, "taken")
        with pytest.raises(AlreadyExists):
            await keep.sessions.fork("s", new_id="taken")
        with pytest.raises(AlreadyExists):
            await keep.sessions.fork("s", new_id="s")
        for wrong in (3, -1, True, "1"):
            with pytest.raises(InvalidInput):
                await keep.sessions.fork("s", at_seq=wrong, new_id="copy")  # pyright: ignore[reportArgumentType]
        assert await whole(keep, "taken") == before
        assert await keep.sessions.count() == 2

    @proves("SES-5")
    async def test_a_fork_of_a_log_longer_than_a_page(self, keep: Keep) -> None:
        await keep.sessions.create("s")
        for start in (1, 801):
            await keep.messages.append("s", numbered(800, start))
        copy = await keep.sessions.fork("s", at_seq=1_505)
        assert seqs(await log(keep, copy.id)) == list(range(1, 1_506))

    @proves("SES-5", "SES-1")
    async def test_a_seq_that_was_never_given_is_refused(self, keep: Keep, twin: Keep) -> None:
        await keep.sessions.create("s")
        await keep.sessions.create("empty")
        await keep.messages.append("s", numbered(5))
        await keep.messages.truncate("s", after_seq=3)
        for name, at_seq in (("s", 6), ("s", 2**40), ("empty", 1)):
            with pytest.raises(InvalidInput):
                await twin.sessions.fork(name, at_seq=at_seq, new_id="copy")
        assert await twin.sessions.find("copy") is None
        copy = await twin.sessions.fork("s", at_seq=5, new_id="copy")  # given once, and removed since
        assert (copy.forked_at_seq, copy.last_seq, copy.message_count) == (5, 5, 3)
        assert seqs(await keep.messages.append("copy", [said()])) == [6]

    @proves("SES-5", "SES-2", "CNT-2", "TTL-3")
    async def test_an_update_lands_with_the_copy(self, keep: Keep, twin: Keep) -> None:
        await keep.sessions.create("s", **FULL_SESSION, ttl=7_200, idle_ttl=3_600)
        await keep.messages.append("s", numbered(3), add={"n": 2})
        before = await whole(keep, "s")
        update: Any = {"user_id": "u2", "title": "branch", "metadata": {"k": 1}, "status": "completed", "ttl": None}
        copy = await twin.sessions.fork("s", at_seq=2, new_id="copy", update=update)
        assert (copy.user_id, copy.title, copy.metadata, copy.status) == ("u2", "branch", {"k": 1}, "completed")
        assert (copy.completed_at is not None, copy.ends_at) == (True, None)
        assert (copy.state, copy.agent_name, copy.counters) == (before[0].state, "support", {"n": 2})
        assert copy.idle_ttl == before[0].idle_ttl
        assert copy.expires_at is not None
        assert copy == await keep.sessions.get("copy")
        assert await whole(keep, "s") == before
        assert ids((await keep.sessions.list(metadata={"k": 1}, user_id="u2", parent_id="s")).items) == ["copy"]
        assert await keep.sessions.count(metadata={"team": "blue"}) == 1
        assert await keep.for_user("u2").messages.count("copy") == 2
        with pytest.raises(InvalidInput):
            await keep.for_user("u1").sessions.fork("s", update={"user_id": "u2"})

    @proves("SES-5", "SES-4")
    async def test_a_fork_is_of_one_life_while_others_begin(self, database: Database, keep: Keep, twin: Keep) -> None:
        """Lives differ in length, title and words, so that a copy of two of them shows itself."""

        async def live(number: int) -> None:
            length = 1 + number % 4
            batch = [said(f"life {number}", id=f"{number}.{n}") for n in range(length)]
            await twin.sessions.delete("s")
            await twin.messages.append("s", batch, create={"agent_name": f"life {number}", "metadata": {"n": number}})

        async def live_on() -> None:
            for number in range(1, rounds_of(database, 40)):
                await live(number)
                await asyncio.sleep(0)

        await live(0)
        living, copies = asyncio.create_task(live_on()), 0
        while not living.done():
            await asyncio.sleep(0)
            try:
                copy = await keep.sessions.fork("s", new_id=f"copy{copies}")
            except SessionNotFound:
                continue
            copies += 1
            session, messages = await whole(keep, copy.id)
            number = session.metadata["n"]
            assert session.agent_name == f"life {number}"
            assert [message.content for message in messages] == [f"life {number}"] * len(messages)
            assert seqs(messages) == list(range(1, 2 + number % 4))
            assert (session.last_seq, session.forked_at_seq, session.message_count) == (len(messages),) * 3
        await living
        assert copies

    @proves("SES-5")
    async def test_the_work_of_a_fork_does_not_grow_with_what_it_leaves(self, database: Database) -> None:
        """Of an embedded database all of it; beside a server our own share."""
        adapter = database.unopened()
        async with Keep(adapter) as keep:
            sessions = await _short_and_long(keep)
            few, many = [await cost.steps(database, adapter, keep, _fork_the_beginning, name) for name in sessions]
            assert many <= few * 1.5 + 50, f"{few} steps for a fork of a short log, {many} for one of a long log"

    @proves("SES-5")
    @needs_wire
    async def test_a_fork_carries_no_more_if_it_leaves_more(self, database: Database) -> None:
        async with bench_of(database) as bench:
            keep, _ = await bench.furnished()
            costs: list[tuple[int, int, int]] = []
            for name in await _short_and_long(keep):
                await _fork_the_beginning(keep, name)
                costs.append(min([await cost.cost_of(bench.proxy, keep, name, _fork_the_beginning) for _ in range(3)]))
            cost.alike(*costs)

    @proves("SES-5")
    @needs("server_work", "it has no server that tells what it did")
    async def test_the_server_does_no_more_for_a_fork_that_leaves_more(self, database: Database) -> None:
        keep = await database.keep(**database.enrolment.one_connection)
        costs: list[int] = []
        for name in await _short_and_long(keep):
            for _ in range(_FORKS):  # so often that a driver has prepared what it prepares
                await _fork_the_beginning(keep, name)
            before = await database.server_work(keep)
            for _ in range(_FORKS):
                await _fork_the_beginning(keep, name)
            costs.append(await database.server_work(keep) - before)
        few, many = costs
        assert many <= few * 1.5 + _FORKS * 20, f"{few} for forks of a short log, {many} for those of a long one"


_FORKS = 10
_SHORT, _LONG = 600, 2_400
"""Also the short log is so long that an adapter which moves old messages elsewhere has moved some of them."""


async def _short_and_long(keep: View) -> tuple[str, str]:
    for name, length in (("short", _SHORT), ("long_", _LONG)):
        await keep.sessions.create(name)
        for start in range(0, length, 200):
            await keep.messages.append(name, [said("x", id=f"m{number}") for number in range(start, start + 200)])
    return "short", "long_"


async def _fork_the_beginning(keep: View, session_id: str) -> None:
    assert (await keep.sessions.fork(session_id, at_seq=20)).message_count == 20
