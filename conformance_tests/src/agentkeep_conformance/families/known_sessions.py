"""An append by a keep that wrote to the session before, and somebody changed it since: what it remembers may be old.

Each session has a sister that was changed in the same way, and gets its append from a keep that never saw it. Both
appends must do the same. The ids are core's, so an adapter may take them for new.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from agentkeep import Conflict, Keep, PersistenceError, Session, transfer

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.after_writes import WRITES
from agentkeep_conformance.families.ttl import HOUR, expired
from agentkeep_conformance.samples import at_once, log, numbered, said, seqs

_FIRST_END = timedelta(seconds=3)
Change = Callable[[Keep, str], Awaitable[Any]]
"""Of a session that holds m1 to m4 and two more, and whose `agent_name` is its id."""


async def _nothing(keep: Keep, name: str) -> None: ...


async def _make_again(keep: Keep, name: str) -> None:
    await keep.sessions.delete(name)
    await keep.sessions.create(name, user_id="u1")


async def _restore(keep: Keep, name: str) -> None:
    session, messages = await keep.sessions.resume(name, tail=100)
    await keep.sessions.delete(name)
    await transfer.restore(keep, session, messages)


async def _expire_unseen(keep: Keep, name: str) -> None:
    await keep.sessions.touch(name, ttl=timedelta(milliseconds=20))
    await asyncio.sleep(0.1)


async def _expire(keep: Keep, name: str) -> None:
    await keep.sessions.touch(name, ttl=timedelta(milliseconds=20))
    await expired(keep, name)


async def _sweep(keep: Keep, name: str) -> None:
    await _expire(keep, name)
    await keep.sweep()


async def _live_anew(keep: Keep, name: str) -> None:
    await _expire(keep, name)
    await keep.messages.append(name, numbered(2), create={"title": "new"})


async def _lengthen(keep: Keep, name: str) -> None:
    """It would have expired if the first end still counted."""
    await keep.sessions.touch(name, ttl=_FIRST_END)
    await keep.sessions.touch(name, ttl=HOUR)
    await asyncio.sleep(_FIRST_END.total_seconds())


CHANGES: dict[str, Change] = {
    **WRITES,
    "nothing": _nothing,
    "two appends": lambda keep, name: keep.messages.append(name, [said("one"), said("two")]),
    "another user": lambda keep, name: keep.sessions.update(name, user_id="u2"),
    "other labels": lambda keep, name: keep.sessions.update(name, metadata={"k": 2}),
    "another state": lambda keep, name: keep.sessions.update(name, state={"other": True}),
    "completed": lambda keep, name: keep.sessions.update(name, status="completed"),
    "an idle time": lambda keep, name: keep.sessions.update(name, idle_ttl=HOUR),
    "a later end": _lengthen,
    "fork": lambda keep, name: keep.sessions.fork(name, new_id=f"{name} copy"),
    "resume": lambda keep, name: keep.sessions.resume(name),
    "delete": lambda keep, name: keep.sessions.delete(name),
    "delete many": lambda keep, name: keep.sessions.delete_many(agent_name=name),
    "delete and create": _make_again,
    "delete and restore": _restore,
    "expiry that nobody saw": _expire_unseen,
    "expiry": _expire,
    "expiry and sweep": _sweep,
    "expiry and a new session": _live_anew,
}


class Before(NamedTuple):
    """What the caller knows of a session: how it was before the change."""

    name: str
    version: int
    last_seq: int


Append = Callable[[Keep, Before], Awaitable[Any]]

APPENDS: dict[str, Append] = {
    "plain": lambda keep, s: keep.messages.append(s.name, [said("a"), said("b")]),
    "title": lambda keep, s: keep.messages.append(s.name, [said()], update={"title": "mine"}),
    "state": lambda keep, s: keep.messages.append(s.name, [said()], update={"state": {"n": 1}, "metadata": {"k": 1}}),
    "counter": lambda keep, s: keep.messages.append(s.name, [said()], add={"n": 2}),
    "no message": lambda keep, s: keep.messages.append(s.name, [], add={"n": 3}),
    "expected version": lambda keep, s: keep.messages.append(s.name, [said()], expected_version=s.version),
    "expected last_seq": lambda keep, s: keep.messages.append(s.name, [said()], expected_last_seq=s.last_seq),
    "create": lambda keep, s: keep.messages.append(s.name, [said()], create={"title": "made"}),
    "create for a user": lambda keep, s: keep.messages.append(s.name, [said()], create={"user_id": "u1"}),
    "in a user's view": lambda keep, s: keep.for_user("u1").messages.append(s.name, [said()]),
    "truncate_after": lambda keep, s: keep.messages.append(s.name, [said()], truncate_after=5),
    "keep_last": lambda keep, s: keep.messages.append(s.name, [said()], keep_last=3),
    "skip": lambda keep, s: keep.messages.append(s.name, [said(), said("x", id="m3")], stored="skip"),
}


class KnownSessions:
    @proves("ORD-1", "ORD-4", "ORD-5", "ORD-6", "CNT-1", "CNT-2", "SES-2", "SES-4", "SES-7", "TTL-1", "ISO-1", "ISO-4")
    @pytest.mark.parametrize("who", ["another keep", "the same keep"])
    @pytest.mark.parametrize("change", CHANGES)
    async def test_an_append_after_a_change_is_as_that_of_a_stranger(
        self, database: Database, keep: Keep, twin: Keep, change: str, who: str
    ) -> None:
        stranger = await database.keep()
        changing = twin if who == "another keep" else keep
        appends = _appends_of_today(database, change, changing is keep)
        known = await at_once([_written(keep, name) for name in appends])
        unknown = await at_once([_written(keep, f"{name} again") for name in appends])
        await at_once([_change(CHANGES[change], changing, each.name) for each in (*known, *unknown)])
        for name, ours, theirs in zip(appends, known, unknown, strict=True):
            found = await _outcome(APPENDS[name](keep, ours), twin, ours.name)
            assert found == await _outcome(APPENDS[name](stranger, theirs), twin, theirs.name), name


def _appends_of_today(database: Database, change: str, is_same: bool) -> list[str]:
    """Every day each append follows a change by one of the two keeps, and the seed says by which. By night by both."""
    if database.tier == "nightly":
        return list(APPENDS)
    first = (database.seed + list(CHANGES).index(change) + is_same) % 2
    return list(APPENDS)[first::2]


async def _written(keep: Keep, name: str) -> Before:
    await keep.sessions.create(name, user_id="u1", agent_name=name, state={"s": 1}, metadata={"k": 1})
    await keep.messages.append(name, numbered(4))
    for text in ("one", "two"):  # the second one may already stand on what the keep remembers
        last = await keep.messages.append(name, [said(text)])
    return Before(name, last.version, last.last_seq)


async def _change(change: Change, keep: Keep, name: str) -> None:
    await change(keep, name)


async def _outcome(append: Awaitable[Any], reader: Keep, name: str) -> Any:
    """The append's result, and what it left, but for what differs between two sessions."""
    result: Any
    try:
        appended = await append
    except PersistenceError as error:
        result = type(error), error.kind if isinstance(error, Conflict) else None
    else:
        result = [(each.seq, each.content) for each in appended], appended.last_seq, appended.new
    session = await reader.sessions.find(name)
    if session is None:
        return result, None
    messages = await log(reader, name)
    assert seqs(messages) == sorted(set(seqs(messages)))
    assert session.message_count == len(messages)
    return result, _comparable(session), [(each.seq, each.content, each.role) for each in messages]


def _comparable(session: Session) -> dict[str, Any]:
    fields = session.to_dict()
    for name in ("id", "agent_name", "version", "created_at", "updated_at"):
        del fields[name]
    for name in ("last_message_at", "completed_at", "ends_at", "expires_at"):
        fields[name] = fields[name] is None
    return fields
