"""A bulk removal beside writes that take sessions out of its filter: each is removed, or written to and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from agentkeep import Keep, Session, SessionNotFound, View

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.concurrency import rounds_of
from agentkeep_conformance.leftovers import leaves_no_record
from agentkeep_conformance.racing import outcomes
from agentkeep_conformance.samples import said

_SESSIONS = 40
_SHORTLY = timedelta(microseconds=1)

Remove = Callable[[View, str, datetime], Awaitable[int]]
Leave = Callable[[View, str], Awaitable[Session]]


async def _say(keep: View, name: str) -> Session:
    """An append changes no field of the session, and not its version."""
    await keep.messages.append(name, [said()])
    return (await keep.sessions.get_many([name]))[name]


_WAYS: dict[str, tuple[Remove, Leave]] = {
    "delete_many by metadata": (
        lambda keep, group, made: keep.sessions.delete_many(metadata={"group": group}),
        lambda keep, name: keep.sessions.update(name, metadata={"group": "another"}),
    ),
    "delete_many by status": (
        lambda keep, group, made: keep.sessions.delete_many(status="active"),
        lambda keep, name: keep.sessions.update(name, status="completed"),
    ),
    "delete_many by metadata and time": (
        lambda keep, group, made: keep.sessions.delete_many(metadata={"group": group}, updated_before=made + _SHORTLY),
        _say,
    ),
    "delete_many by user and time": (
        lambda keep, group, made: keep.sessions.delete_many(user_id=group, updated_before=made + _SHORTLY),
        _say,
    ),
    "delete_user": (
        lambda keep, group, made: keep.sessions.delete_user(group),
        lambda keep, name: keep.sessions.update(name, user_id="another"),
    ),
}
"""How all of a group are removed, given when the last of them was made, and how one leaves it."""


class BulkRaces:
    @proves("SES-2", "ORD-5")
    @pytest.mark.parametrize("way", _WAYS)
    async def test_a_bulk_removal_takes_what_still_matches(
        self, database: Database, keep: Keep, twin: Keep, way: str
    ) -> None:
        remove, leave = _WAYS[way]
        for number in range(rounds_of(database, 4)):
            group = f"g{number}"
            names = [f"{group}.{each:03}" for each in range(_SESSIONS)]
            fields: dict[str, Any] = {"user_id": group, "metadata": {"group": group}}
            made = await asyncio.gather(*(keep.sessions.create(name, **fields) for name in names))
            await asyncio.sleep(0.01)  # so that every clock has moved on
            leaving = asyncio.create_task(outcomes([leave(twin, name) for name in reversed(names)]))
            await asyncio.sleep(0.002 * number)
            removed = await remove(keep, group, max(session.updated_at for session in made))
            left = dict(zip(reversed(names), await leaving, strict=True))
            kept = await twin.sessions.get_many(names)
            assert kept == {name: each for name, each in left.items() if isinstance(each, Session)}
            assert {type(each) for name, each in left.items() if name not in kept} <= {SessionNotFound}
            assert removed == len(names) - len(kept)
        await leaves_no_record(database, keep)
