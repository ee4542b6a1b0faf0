"""A call that comes between two lines of another one, for each line of the adapter: a race that needs no luck."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, cast

import pytest
from agentkeep import AlreadyExists, Conflict, Keep, PersistenceError, SessionNotFound

from agentkeep_conformance.clauses import needs_two_loops, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.concurrency import rounds_of
from agentkeep_conformance.interleaved import Call, Pair, Two
from agentkeep_conformance.leftovers import leaves_no_record
from agentkeep_conformance.samples import ids, log, numbered, said, seqs

_STRIDE = 9
"""Everyday, each such line of an adapter whose data is outside of the process: its lines do not do the work."""


def batch(who: str) -> list[Any]:
    return [said(f"from {who}", id=f"{who}{number}") for number in (1, 2)]


async def one_wins(keep: Keep, name: str, first: Any, second: Any) -> None:
    losers = [each for each in (first, second) if isinstance(each, (AlreadyExists, Conflict))]
    assert len(losers) == 1, (first, second)


async def both_land(keep: Keep, name: str, first: Any, second: Any) -> None:
    found = await log(keep, name)
    session = await keep.sessions.get(name)
    assert ids(found) in (["a1", "a2", "b1", "b2"], ["b1", "b2", "a1", "a2"])
    assert seqs(found) == [1, 2, 3, 4]
    assert (session.message_count, session.last_seq) == (4, 4)
    assert sorted(seqs(first) + seqs(second)) == [1, 2, 3, 4]


async def lands_once(keep: Keep, name: str, first: Any, second: Any) -> None:
    assert seqs(await log(keep, name)) == seqs(first) == seqs(second) == [1]
    assert first.new + second.new == 1


async def all_is_added(keep: Keep, name: str, first: Any, second: Any) -> None:
    session = await keep.sessions.get(name)
    assert (session.counters, session.title, session.current_step) == ({"n": 2}, "t", "x")
    assert {first.version, second.version} == {session.version - 1, session.version}


async def both_are_redacted(keep: Keep, name: str, first: Any, second: Any) -> None:
    message = await keep.messages.get(name, "m")
    assert (message.content, message.metadata) == ("gone", {"by": "b"})


async def is_whole(keep: Keep, name: str, first: Any, second: Any) -> None:
    """A reader sees an append with its update, or nothing of either."""
    read = first if hasattr(first, "session") else second
    last_seq, title = read.session.last_seq, read.session.title
    assert (seqs(read.messages), title) in (([], None), ([1, 2], "t")), (read.messages, title)
    assert last_seq == len(read.messages)


async def is_none_or_both(keep: Keep, name: str, first: Any, second: Any) -> None:
    assert len(first.items) in (0, 2), first


async def is_a_page_of_one_moment(keep: Keep, name: str, first: Any, second: Any) -> None:
    """Before the trim or after it: a page skips no message that is there."""
    assert ids(first.items) in (["m2", "m3"], ["m4", "m5"]), first


async def finds_none_or_both(keep: Keep, name: str, first: Any, second: Any) -> None:
    assert list(first) in ([], ["a1", "a2"]), first


async def is_told(keep: Keep, name: str, first: Any, second: Any) -> None:
    assert not isinstance(first, PersistenceError), first
    assert (await keep.sessions.get(name)).id == name


async def takes_two(keep: Keep, name: str, first: Any, second: Any) -> None:
    assert {first.id, second.id} == {"a1", "a2"}
    session = await keep.sessions.get(name)
    assert (session.message_count, session.last_seq, session.last_message_at) == (0, 2, None)


async def ends(keep: Keep, name: str, first: Any, second: Any) -> None:
    """The append came before the end or found nothing; the session is gone in any case."""
    assert first is True
    assert isinstance(second, SessionNotFound) or seqs(second) == [1, 2]
    assert await keep.sessions.find(name) is None


async def one_removes(keep: Keep, name: str, first: Any, second: Any) -> None:
    assert sorted([first, second]) == [False, True]


async def copies_whole(keep: Keep, name: str, first: Any, second: Any) -> None:
    assert (await keep.messages.count(first.id), first.last_seq, first.state) in ((0, 0, {}), (2, 2, {"done": True}))


async def rewinds_whole(keep: Keep, name: str, first: Any, second: Any) -> None:
    found = await log(keep, name)
    session = await keep.sessions.get(name)
    assert ids(found) in (["a1"], ["a1", "b1", "b2"])
    assert (session.message_count, session.last_seq) == (len(found), 4)


async def takes_what_matches(keep: Keep, name: str, first: Any, second: Any) -> None:
    """It removed the session before the update, or the session matched no more."""
    left = await keep.sessions.find(name)
    if isinstance(second, SessionNotFound):
        assert (first, left) == (1, None)
    else:
        assert (first, left) == (0, second)


async def lives_anew(keep: Keep, name: str, first: Any, second: Any) -> None:
    """The new session is there in every way of reading, whatever the other call did with the expired one."""
    assert await keep.sessions.get(name) == second
    for filters in ({"metadata": {"k": "v"}}, {"user_id": "u"}, {"status": "active"}):
        assert second in (await keep.sessions.list(**cast("Any", filters))).items, filters
        assert await keep.sessions.count(**cast("Any", filters)) == 1, filters
    assert seqs(await keep.messages.append(name, [said()])) == [1]


async def is_found_by_its_user(keep: Keep, name: str, first: Any, second: Any) -> None:
    """Whoever came last: the messages are found under the session's user, and under no other."""
    session = await keep.sessions.get(name)
    for user_id in ("a", "b") if keep.capabilities.search else ():
        hits = await keep.messages.search("from", session_id=name, user_id=user_id)
        assert len(hits) == (session.message_count if session.user_id == user_id else 0), (user_id, session.user_id)


async def _of_user(keep: Keep, name: str) -> None:
    await keep.sessions.create(name, user_id=name)


async def _expired(keep: Keep, name: str) -> None:
    await keep.sessions.create(name, user_id="u", metadata={"k": "v"}, ttl=0.001)
    while await keep.sessions.find(name) is not None:  # noqa: ASYNC110 - the server's clock decides
        await asyncio.sleep(0.002)


def create_anew(keep: Keep, name: str) -> Awaitable[Any]:
    return keep.sessions.create(name, user_id="u", metadata={"k": "v"})


async def _filled(keep: Keep, name: str) -> None:
    await keep.messages.append(name, batch("a"), create={})


async def _with_six(keep: Keep, name: str) -> None:
    await keep.messages.append(name, numbered(6), create={})


async def with_one(keep: Keep, name: str) -> None:
    await keep.messages.append(name, [said("text", id="m")], create={})


async def others(keep: Keep, name: str) -> None:
    for other in range(3):
        await keep.messages.append(f"{name}.{other}", [said("text")], create={})


async def _nothing(keep: Keep, name: str) -> None:
    pass


def append(who: str) -> Call:
    return lambda keep, name: keep.messages.append(name, batch(who))


def give_to(user_id: str) -> Call:
    return lambda keep, name: keep.sessions.update(name, user_id=user_id)


def turn(keep: Keep, name: str) -> Awaitable[Any]:
    return keep.messages.append(name, batch("a"), update={"title": "t", "state": {"done": True}})


def resume(keep: Keep, name: str) -> Awaitable[Any]:
    return keep.sessions.resume(name)


def delete(keep: Keep, name: str) -> Awaitable[Any]:
    return keep.sessions.delete(name)


def create(keep: Keep, name: str) -> Awaitable[Any]:
    return keep.sessions.create(name)


PAIRS: dict[str, Pair] = {
    "create": Pair(create, create, one_wins, _nothing),
    "append with create": Pair(
        lambda keep, name: keep.messages.append(name, batch("a"), create={}),
        lambda keep, name: keep.messages.append(name, batch("b"), create={}),
        both_land,
        _nothing,
    ),
    "append": Pair(append("a"), append("b"), both_land),
    "append at a seq": Pair(
        lambda keep, name: keep.messages.append(name, batch("a"), expected_last_seq=0),
        lambda keep, name: keep.messages.append(name, batch("b"), expected_last_seq=0),
        one_wins,
    ),
    "append of one id": Pair(
        lambda keep, name: keep.messages.append(name, [said("x", id="m")]),
        lambda keep, name: keep.messages.append(name, [said("x", id="m")]),
        lands_once,
    ),
    "update": Pair(
        lambda keep, name: keep.sessions.update(name, title="t", add={"n": 1}),
        lambda keep, name: keep.sessions.update(name, current_step="x", add={"n": 1}),
        all_is_added,
    ),
    "redaction": Pair(
        lambda keep, name: keep.messages.update(name, "m", content="gone"),
        lambda keep, name: keep.messages.update(name, "m", metadata={"by": "b"}),
        both_are_redacted,
        with_one,
    ),
    "resume and append": Pair(resume, turn, is_whole, within_lines=True),
    "append and resume": Pair(turn, resume, is_whole),
    "list messages": Pair(lambda keep, name: keep.messages.list(name), append("a"), is_none_or_both, within_lines=True),
    "list messages and trim": Pair(
        lambda keep, name: keep.messages.list(name, after=1, limit=2),
        lambda keep, name: keep.messages.trim(name, keep_last=3),
        is_a_page_of_one_moment,
        _with_six,
    ),
    "get messages": Pair(
        lambda keep, name: keep.messages.get_many(name, ["a1", "a2"]), append("a"), finds_none_or_both
    ),
    "list sessions": Pair(lambda keep, name: keep.sessions.list(), create, is_told, others),
    "count sessions": Pair(lambda keep, name: keep.sessions.count(), create, is_told, others),
    "delete many": Pair(lambda keep, name: keep.sessions.delete_many(user_id="x"), create, is_told, others),
    "delete many and update": Pair(
        lambda keep, name: keep.sessions.delete_many(user_id=name),
        lambda keep, name: keep.sessions.update(name, user_id="other"),
        takes_what_matches,
        _of_user,
    ),
    "sweep": Pair(lambda keep, name: keep.sweep(), create, is_told, others),
    "sweep and create": Pair(lambda keep, name: keep.sweep(), create_anew, lives_anew, _expired),
    "listing and create": Pair(
        lambda keep, name: keep.sessions.list(metadata={"k": "v"}), create_anew, lives_anew, _expired
    ),
    "pop": Pair(
        lambda keep, name: keep.messages.pop(name), lambda keep, name: keep.messages.pop(name), takes_two, _filled
    ),
    "two changes of user": Pair(give_to("a"), give_to("b"), is_found_by_its_user, _filled),
    "change of user and append": Pair(give_to("a"), append("b"), is_found_by_its_user, _filled),
    "append and change of user": Pair(append("b"), give_to("a"), is_found_by_its_user, _filled),
    "delete and append": Pair(delete, append("a"), ends),
    "delete": Pair(delete, delete, one_removes),
    "fork": Pair(lambda keep, name: keep.sessions.fork(name), turn, copies_whole),
    "truncate": Pair(lambda keep, name: keep.messages.truncate(name, after_seq=1), append("b"), rewinds_whole, _filled),
}


class Interleaving:
    @proves("ORD-2", "ORD-4", "ORD-6", "IDEM-1", "CNT-1", "CNT-2", "SES-1", "SES-2", "SES-5", "SRCH-1", "ERR-1")
    @needs_two_loops
    @pytest.mark.parametrize("name", PAIRS)
    async def test_a_call_may_come_between_any_two_lines_of_another(self, database: Database, name: str) -> None:
        await asyncio.to_thread(all_lines, database, PAIRS[name])


def all_lines(database: Database, pair: Pair, stride: int = _STRIDE) -> None:
    """Both calls again and again, the second one line later each time, until it comes after the first."""
    every = rounds_of(database, stride, nightly=1) if database.unopened().capabilities.shared else 1
    with Two(database) as two:
        for at in range(1, 10_000, every):
            if not two.play(pair, f"s{at}", at):
                break
    asyncio.run(_leaves_no_record(database))


async def _leaves_no_record(database: Database) -> None:
    async with Keep(database.unopened()) as keep:
        await leaves_no_record(database, keep)
