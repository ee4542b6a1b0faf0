"""A long session leaves no more than a short one: its removal works in steps, and each way does all of them (SES-6)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from agentkeep import Keep
from agentkeep.transfer import restore
from msgspec.structs import replace

from agentkeep_conformance.canaries import found_after, found_in
from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.ttl import expired
from agentkeep_conformance.leftovers import leaves_no_record
from agentkeep_conformance.samples import said, whole

_LENGTH = 1_200
"""Longer than any step of a removal that we know."""
_SEVERAL = ("s1", "s2", "s3")

Erase = Callable[[Keep], Awaitable[Any]]
"""Removes the messages of session "s"."""


async def _replace(keep: Keep) -> None:
    await keep.sessions.create("other")
    await restore(keep, replace(await keep.sessions.get("other"), id="s"), [])


ENDS: dict[str, Erase] = {
    "delete": lambda keep: keep.sessions.delete("s"),
    "delete_many": lambda keep: keep.sessions.delete_many(metadata={"k": "v"}),
    "delete_user": lambda keep: keep.sessions.delete_user("u"),
    "clear": lambda keep: keep.messages.clear("s"),
    "trim": lambda keep: keep.messages.trim("s", keep_last=0),
    "rewind": lambda keep: keep.messages.append("s", [said("-")], truncate_after=0),
    "rolling window": lambda keep: keep.messages.append("s", [said("-")], keep_last=1),
}
AFTER_EXPIRY: dict[str, Erase] = {
    "sweep": lambda keep: keep.sweep(),
    "create": lambda keep: keep.sessions.create("s"),
    "append": lambda keep: keep.messages.append("s", [said("-")], create={}),
    "restore": _replace,
}


class ErasureOfLong:
    @proves("SES-6", "CNT-1")
    @pytest.mark.parametrize("way", ENDS)
    async def test_a_long_session_leaves_no_trace(self, database: Database, keep: Keep, way: str) -> None:
        word = await _store_long(keep)
        assert await found_in(database, [word]) == [word], "the scan doesn't see what is stored"
        await ENDS[way](keep)
        assert await found_after(way, database, [word]) == []
        left = await keep.sessions.find("s")
        assert left is None or left.message_count == len((await whole(keep, "s"))[1]) <= 1

    @proves("SES-4", "TTL-2")
    @pytest.mark.parametrize("way", AFTER_EXPIRY)
    async def test_a_long_expired_session_leaves_no_trace(self, database: Database, keep: Keep, way: str) -> None:
        word = await _store_long(keep)
        await keep.sessions.update("s", ttl=timedelta(milliseconds=100))
        await expired(keep, "s")
        await AFTER_EXPIRY[way](keep)
        await keep.sweep()
        assert await found_in(database, [word]) == []

    @proves("SES-6", "TTL-2")
    @pytest.mark.parametrize("way", ["delete_many", "delete_user", "sweep"])
    async def test_several_long_sessions_leave_no_trace(self, database: Database, keep: Keep, way: str) -> None:
        words = [await _store_long(keep, name) for name in _SEVERAL]
        if way == "sweep":
            for name in _SEVERAL:
                await keep.sessions.update(name, ttl=timedelta(milliseconds=100))
            for name in _SEVERAL:
                await expired(keep, name)
        await (ENDS | AFTER_EXPIRY)[way](keep)
        assert await found_after(way, database, words) == []
        await leaves_no_record(database, keep)


async def _store_long(keep: Keep, name: str = "s") -> str:
    """Returns a word that each message has."""
    word = f"canary{uuid4().hex}"
    await keep.sessions.create(name, user_id="u", metadata={"k": "v"})
    for start in range(0, _LENGTH, 400):
        await keep.messages.append(name, [said(f"{word} {number}") for number in range(start, start + 400)])
    return word
