"""A write that comes between two lines of a search, which may be when an adapter does work that it had put off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from agentkeep import Keep

from agentkeep_conformance.clauses import needs_two_loops, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.interleaving import all_lines, batch, delete, is_told, others, with_one
from agentkeep_conformance.interleaved import Pair
from agentkeep_conformance.samples import ids, log, said

_STRIDE = 27
"""Everyday, each such line of an adapter whose data is outside of the process: a search has many lines."""


def search(keep: Keep, name: str) -> Awaitable[Any]:
    return keep.messages.search("text", session_id=name)


def search_all(keep: Keep, name: str) -> Awaitable[Any]:
    return keep.messages.search("text")


def redact(keep: Keep, name: str) -> Awaitable[Any]:
    return keep.messages.update(name, "m", content="gone")


async def is_redacted(keep: Keep, name: str, first: Any, second: Any) -> None:
    """The search found the text that it asked for, or nothing."""
    assert [hit.message.content for hit in first] in ([], ["text"]), first
    assert [message.content for message in await log(keep, name)] == ["gone"]
    assert [hit.message.id for hit in await keep.messages.search("gone", session_id=name)] == ["m"]
    assert not await search(keep, name)


async def is_deleted(keep: Keep, name: str, first: Any, second: Any) -> None:
    assert second is True
    assert [hit.message.content for hit in first] in ([], ["text"]), first
    assert not await keep.messages.search("text")


async def is_rewound(keep: Keep, name: str, first: Any, second: Any) -> None:
    """It still is after another search."""
    for _ in range(2):
        found = await log(keep, name)
        assert ids(found) == ["m1", "m2", "m3", "m4", "a1", "a2"]
        assert (await keep.sessions.get(name)).message_count == len(found)
        assert sorted(hit.message.id for hit in await search(keep, name)) == ids(found)[:4]


async def has_another_user(keep: Keep, name: str, first: Any, second: Any) -> None:
    assert len(await keep.messages.search("text", user_id="another")) == 1
    assert not await keep.messages.search("text", user_id=name)


async def _six(keep: Keep, name: str) -> None:
    for number in range(1, 7):
        await keep.messages.append(name, [said("text", id=f"m{number}")], create={})


async def _one_of_user(keep: Keep, name: str) -> None:
    await keep.messages.append(name, [said("text", id="m")], create={"user_id": name})


PAIRS: dict[str, Pair] = {
    "create": Pair(search_all, with_one, is_told, others),
    "redaction": Pair(search, redact, is_redacted, with_one),
    "redaction of all": Pair(search_all, redact, is_redacted, with_one),
    "delete": Pair(search_all, delete, is_deleted, with_one),
    "rewind": Pair(
        search, lambda keep, name: keep.messages.append(name, batch("a"), truncate_after=4), is_rewound, _six
    ),
    "another user": Pair(
        search, lambda keep, name: keep.sessions.update(name, user_id="another"), has_another_user, _one_of_user
    ),
}


class InterleavedSearches:
    @proves("SRCH-1", "ERR-1", "ORD-6", "CNT-1")
    @needs_two_loops
    @pytest.mark.parametrize("name", PAIRS)
    async def test_a_write_may_come_between_any_two_lines_of_a_search(self, database: Database, name: str) -> None:
        if not database.unopened().capabilities.search:
            return database.refused("search")
        return await asyncio.to_thread(all_lines, database, PAIRS[name], _STRIDE)
