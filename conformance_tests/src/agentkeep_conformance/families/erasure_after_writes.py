"""Whatever verb stored a text, the end of its session removes it: a raw scan finds no trace (SES-6, TTL-2).

At the end of each test all sessions go, and no record may be left of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from agentkeep import Keep, NewMessage, View
from agentkeep.transfer import restore

from agentkeep_conformance.canaries import found_in
from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.ttl import expired
from agentkeep_conformance.leftovers import leaves_no_record
from agentkeep_conformance.samples import said, whole

_LIFE = timedelta(seconds=3)
"""Long enough to store everything."""

Write = Callable[[View, str], Awaitable[Any]]
"""Stores the word, in a session that has the word as its id."""


def _fields(word: str) -> dict[str, Any]:
    return {"user_id": word, "agent_name": word, "title": word, "state": {word: word}, "metadata": {word: word}}


def _message(word: str, part: str = "1") -> NewMessage:
    return NewMessage(role=word, id=f"{word}{part}", content=f"a {word}", event={word: word}, metadata={word: word})


async def _append(keep: View, word: str, count: int = 2, **options: Any) -> None:
    messages = [_message(word, f"{number}") for number in range(count)]
    await keep.messages.append(word, messages, **options)


async def _create(keep: View, word: str) -> None:
    await keep.sessions.create(word, **_fields(word))


async def _update(keep: View, word: str) -> None:
    await keep.sessions.create(word)
    await keep.sessions.update(word, **_fields(word), current_route=word, current_step=word)


async def _count(keep: View, word: str) -> None:
    await keep.sessions.create(word)
    await keep.sessions.update(word, add={word: 1})
    await keep.messages.append(word, [said()], add={f"{word}.2": 1})


async def _append_with_create(keep: View, word: str) -> None:
    await _append(keep, word, create=_fields(word))


async def _append_with_update(keep: View, word: str) -> None:
    await keep.sessions.create(word)
    await _append(keep, word, update=_fields(word))


async def _skip(keep: View, word: str) -> None:
    await keep.sessions.create(word)
    await _append(keep, word)
    await _append(keep, word, 4, stored="skip")


async def _repeat(keep: View, word: str) -> None:
    await keep.sessions.create(word)
    await _append(keep, word)
    await _append(keep, word)


async def _rewind_to_nothing(keep: View, word: str) -> None:
    await keep.sessions.create(word, **_fields(word))
    await _append(keep, word, 3)
    await keep.messages.append(word, [_message(word, "new")], truncate_after=0)


async def _clear_and_append(keep: View, word: str) -> None:
    await keep.sessions.create(word, **_fields(word))
    await _append(keep, word, 3)
    await keep.messages.clear(word)
    await _append(keep, word, 3)


async def _roll(keep: View, word: str) -> None:
    await keep.sessions.create(word)
    await _append(keep, word, 5)
    await keep.messages.append(word, [_message(word, "new")], keep_last=2)
    await keep.messages.trim(word, keep_last=1)


async def _pop(keep: View, word: str) -> None:
    await keep.sessions.create(word)
    await _append(keep, word, 3)
    await keep.messages.pop(word)


async def _redact(keep: View, word: str) -> None:
    await keep.messages.append(word, [said("old", id="m")], create={})
    await keep.messages.update(word, "m", content=f"a {word}", name=word, metadata={word: word}, event={word: word})


async def _relabel(keep: View, word: str) -> None:
    await keep.sessions.create(word, **_fields(word))
    await keep.sessions.update(word, user_id="other", agent_name=None, metadata={word: 2}, status="completed")
    await keep.sessions.update(word, metadata={f"{word}2": None})


async def _relabel_while_appending(keep: View, word: str) -> None:
    await _append(keep, word, create=_fields(word))
    await keep.messages.append(word, [said()], update={"user_id": f"{word}2", "metadata": {f"{word}2": 1}})


async def _fork(keep: View, word: str) -> None:
    await keep.sessions.create("parent of " + word, **_fields(word))
    await keep.messages.append("parent of " + word, [_message(word), _message(word, "2")])
    await keep.sessions.fork("parent of " + word, new_id=word, update={"title": f"{word}2"})
    await keep.sessions.delete("parent of " + word)


async def _become_a_parent(keep: View, word: str) -> None:
    await keep.sessions.create(word, **_fields(word))
    await _append(keep, word)
    await keep.sessions.fork(word, at_seq=1, new_id=f"{word}2")
    await keep.sessions.delete(f"{word}2")


async def _restore(keep: View, word: str) -> None:
    await _append(keep, word, create=_fields(word))
    session, messages = await whole(keep, word)
    await keep.sessions.delete(word)
    await restore(keep, session, messages)


async def _live_again(keep: View, word: str) -> None:
    await _append(keep, word, create=_fields(word))
    await keep.sessions.delete(word)
    await _append(keep, word, 1, create={"user_id": word})


WRITES: dict[str, Write] = {
    "create": _create,
    "update": _update,
    "count": _count,
    "append with create": _append_with_create,
    "append with update": _append_with_update,
    "skip": _skip,
    "repeat": _repeat,
    "rewind to nothing": _rewind_to_nothing,
    "clear and append": _clear_and_append,
    "roll": _roll,
    "pop": _pop,
    "redact": _redact,
    "relabel": _relabel,
    "relabel while appending": _relabel_while_appending,
    "fork": _fork,
    "become a parent": _become_a_parent,
    "restore": _restore,
    "live again": _live_again,
}


async def _store_by_each(database: Database, keep: Keep) -> dict[str, str]:
    """One session by each write. Returns the word of each."""
    words = {name: f"canary{uuid4().hex[:12]}" for name in WRITES}
    for name, word in words.items():
        await WRITES[name](keep, word)
        if keep.capabilities.search:  # an index that searches fill is filled
            await keep.messages.search(word)
    await keep.sessions.create("neighbour", user_id="other", metadata={"k": 1})
    await keep.messages.append("neighbour", [said("stays")])
    assert await found_in(database, list(words.values())) == list(words.values()), "the scan doesn't see what is stored"
    return words


async def _left(database: Database, words: dict[str, str]) -> list[str]:
    """The writes of which something is left."""
    left = await found_in(database, list(words.values()))
    return [name for name, word in words.items() if word in left]


async def _delete(keep: View, word: str) -> None:
    await keep.sessions.delete(word)


async def _delete_by_filter(keep: View, word: str) -> None:
    session = await keep.sessions.get(word)
    later = session.updated_at + timedelta(microseconds=1)
    earlier = session.updated_at - timedelta(microseconds=1)
    assert await keep.sessions.delete_many(updated_after=earlier, updated_before=later) == 1


async def _delete_by_user(keep: View, word: str) -> None:
    await keep.sessions.update(word, user_id="leaving")
    assert await keep.sessions.delete_user("leaving") == 1


REMOVALS: dict[str, Write] = {
    "delete": _delete,
    "delete_many by time": _delete_by_filter,
    "delete_user": _delete_by_user,
}


class ErasureAfterWrites:
    @proves("SES-6")
    @pytest.mark.parametrize("removal", REMOVALS)
    async def test_a_removal_takes_what_each_verb_stored(self, database: Database, keep: Keep, removal: str) -> None:
        words = await _store_by_each(database, keep)
        for word in words.values():
            await REMOVALS[removal](keep, word)
        assert await _left(database, words) == []
        assert (await keep.messages.tail("neighbour", 1))[0].content == "stays"
        await leaves_no_record(database, keep)

    @proves("TTL-2", "SES-6")
    @pytest.mark.parametrize("end", ["ttl", "idle", "touch"])
    async def test_a_sweep_takes_what_each_verb_stored(self, database: Database, keep: Keep, end: str) -> None:
        words = await _store_by_each(database, keep)
        for word in words.values():
            if end == "touch":
                await keep.sessions.touch(word, ttl=timedelta(seconds=0.2))
            elif end == "ttl":
                await keep.sessions.update(word, ttl=timedelta(seconds=0.2))
            else:
                await keep.messages.append(word, [], update={"idle_ttl": timedelta(seconds=0.2)})
        for word in words.values():
            await expired(keep, word)
        await keep.sweep()
        assert await _left(database, words) == []
        assert (await keep.messages.tail("neighbour", 1))[0].content == "stays"
        await leaves_no_record(database, keep)

    @proves("TTL-2", "SES-6")
    async def test_what_is_written_into_a_short_life_ends_with_it(self, database: Database, keep: Keep) -> None:
        """The end was set before the writes: each of them adds to what ends."""
        words = {name: f"canary{uuid4().hex[:12]}" for name in _ON_LIVING}
        for word in words.values():
            await keep.sessions.create(word, **_fields(word), ttl=_LIFE)
            await keep.messages.append(word, [said(f"a {word}", id="m")])
        for name, word in words.items():
            await _ON_LIVING[name](keep, word)
        for word in words.values():
            await expired(keep, word)
        await keep.sweep()
        assert await _left(database, words) == []
        await leaves_no_record(database, keep)

    @proves("SES-6", "TTL-2", "ISO-1")
    @pytest.mark.parametrize("end", ["delete", "sweep"])
    async def test_a_tenants_last_session_leaves_nothing_of_the_tenant(
        self, database: Database, keep: Keep, end: str
    ) -> None:
        word = f"canary{uuid4().hex[:12]}"
        tenant = keep.for_tenant(word)
        for name in ("one", "last"):
            await tenant.messages.append(name, [_message("x")], create={"user_id": word, "metadata": {"k": word}})
        assert await found_in(database, [word]) == [word], "the scan doesn't see what is stored"
        for name in ("one", "last"):
            if end == "delete":
                await tenant.sessions.delete(name)
            else:
                await tenant.sessions.touch(name, ttl=timedelta(seconds=0.2))
                await expired(tenant, name)
        await keep.sweep()
        assert await found_in(database, [word]) == []
        await leaves_no_record(database, keep)


_ON_LIVING: dict[str, Write] = {
    "append": lambda keep, word: keep.messages.append(word, [_message(word)]),
    "many appends": lambda keep, word: _append(keep, word, 120),
    "append with update": lambda keep, word: keep.messages.append(
        word, [_message(word)], update={"metadata": {f"{word}2": word}, "state": {word: 2}}
    ),
    "rewind to nothing": lambda keep, word: keep.messages.append(word, [_message(word)], truncate_after=0),
    "update": lambda keep, word: keep.sessions.update(word, metadata={f"{word}2": 1}, user_id=f"{word}2"),
    "count": lambda keep, word: keep.sessions.update(word, add={word: 1}),
    "redaction": lambda keep, word: keep.messages.update(word, "m", content=f"another {word}"),
    "clear": lambda keep, word: keep.messages.clear(word),
    "fork": lambda keep, word: keep.sessions.fork(word, new_id=f"{word} fork"),
}
