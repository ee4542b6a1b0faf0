"""Text that a search index holds is removed from the index too, by each way to remove a message (SES-6).

An index may take in new messages only once there are many, so these tests first store many. It may hold pieces of a
text instead, so the word that is removed is as short as such a piece. A database may need a sweep to overwrite
what an index held. Before that, no search finds the text, and no scan finds a longer word of it. What the session still
has, and what took the removed text's place, is found as before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from agentkeep import Keep

from agentkeep_conformance.canaries import found_after, found_in
from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.ttl import expired
from agentkeep_conformance.samples import ids, log, said

_MANY = 600
"""More new messages than any index that we know lets wait."""
_PIECE = "鑿龘靐"
"""Three letters that no other text of the test has."""
_LIFE = timedelta(seconds=3)

Remove = Callable[[Keep], Awaitable[Any]]
"""Removes the message "secret", the last of the session "s"."""

REMOVALS: dict[str, Remove] = {
    "delete": lambda keep: keep.sessions.delete("s"),
    "delete_many": lambda keep: keep.sessions.delete_many(metadata={"k": "v"}),
    "delete_user": lambda keep: keep.sessions.delete_user("u"),
    "truncate": lambda keep: keep.messages.truncate("s", after_seq=1),
    "trim": lambda keep: keep.messages.trim("s", keep_last=0),
    "pop": lambda keep: keep.messages.pop("s"),
    "clear": lambda keep: keep.messages.clear("s"),
    "rewind": lambda keep: keep.messages.append("s", [said("again")], truncate_after=1),
    "rolling window": lambda keep: keep.messages.append("s", [said("next")], keep_last=1),
    "redaction": lambda keep: keep.messages.update("s", "secret", content="another text"),
    "sweep": lambda keep: expired(keep, "s"),
}


class ErasureOfIndexed:
    @proves("SES-6", "SRCH-1", "TTL-2")
    @pytest.mark.parametrize("way", REMOVALS)
    async def test_a_filled_search_index_loses_what_is_removed(self, database: Database, keep: Keep, way: str) -> None:
        word = f"canary{uuid4().hex}"
        await store_many(keep, "filler number")
        ttl = _LIFE if way == "sweep" else None
        await keep.sessions.create("s", user_id="u", metadata={"k": "v"}, ttl=ttl)
        await keep.messages.append("s", [said("first", id="first"), said(f"the {_PIECE} {word}", id="secret")])
        await indexed(keep, word)
        assert await found_in(database, [_PIECE, word]) == [_PIECE, word], "the scan doesn't see what is stored"
        await REMOVALS[way](keep)
        await _finds(keep, word, 0)
        await _finds_what_is_left(keep)
        if way != "sweep":
            assert await found_after(way, database, [word]) == []
        await keep.sweep()
        await _finds(keep, word, 0)
        await _finds_what_is_left(keep)
        assert await found_in(database, [_PIECE, word]) == []
        await _finds(keep, "filler number 577", 1)


async def store_many(keep: Keep, text: str) -> None:
    """As many messages as make every index take in what is new."""
    for start in range(0, _MANY, 200):
        texts = [f"{text} {number}" for number in range(start, start + 200)]
        await keep.messages.append("filler", [said(each) for each in texts], create={"user_id": "other"})


async def indexed(keep: Keep, word: str) -> None:
    """An index that searches bring up to date is up to date."""
    for _ in range(5):
        await _finds(keep, word, 1)
        await asyncio.sleep(0.1)


async def _finds_what_is_left(keep: Keep) -> None:
    if await keep.sessions.find("s"):
        for message in await log(keep, "s"):
            await _finds(keep, str(message.content), 1)


async def _finds(keep: Keep, text: str, count: int) -> None:
    if keep.capabilities.search:
        found = [hit.message for hit in await keep.messages.search(text)]
        assert len(found) == count, ids(found)
