"""Whose clock decides: the server's, or the one that an adapter without a server is given. Never the process'."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

import pytest
from agentkeep import Keep, Session, View

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.operations import WRITES, furnish
from agentkeep_conformance.samples import HandClock, everything, said
from agentkeep_conformance.wrong_clock import wrong_clock

_HOUR = timedelta(hours=1)
_NEAR = timedelta(minutes=10)
"""No test takes that long."""


async def _use(keep: View) -> None:
    """Make and use five sessions; each ends an hour later."""
    await keep.sessions.create("created", ttl=_HOUR)
    await keep.messages.append("appended", [said("aardvark", id="m")], create={"idle_ttl": _HOUR})
    await keep.messages.append("appended", [said("aardvark")])
    await keep.messages.update("appended", "m", content="aardvark and more")
    await keep.sessions.create("updated", ttl=60)
    await keep.sessions.update("updated", ttl=_HOUR, status="completed")
    await keep.sessions.touch("before", _HOUR)
    await keep.sessions.fork("appended", new_id="forked")


async def _check_reads(keep: View, before: Session) -> None:
    assert await keep.sweep() == 0
    assert await keep.sessions.count() == 5
    assert len((await keep.sessions.list(updated_after=before.updated_at - _NEAR)).items) == 5
    assert (await keep.sessions.list(updated_after=before.updated_at + _NEAR)).items == []
    assert len(await keep.sessions.get_many(["before", "created", "updated"])) == 3
    assert len((await keep.sessions.resume("appended")).messages) == 2
    if keep.capabilities.search:
        assert len(await keep.messages.search("aardvark")) == 4


def _times(session: Session) -> list[Any]:
    """The times of a session, from all of which the test began a moment ago."""
    ends = [end - _HOUR for end in (session.ends_at, session.expires_at) if end is not None]
    stamps = (session.created_at, session.updated_at, session.last_message_at, session.completed_at)
    return [*ends, *(stamp for stamp in stamps if stamp is not None)]


def _with_clock(database: Database, clock: HandClock) -> dict[str, Any]:
    """The options of a keep that goes by this clock, if its server has none."""
    return {} if database.unopened().capabilities.server_clock else {"clock": clock}


def _end_of(session: Session) -> datetime:
    assert session.expires_at is not None
    return session.expires_at


class Clocks:
    @proves("TTL-1", "TTL-3")
    @pytest.mark.parametrize("days", [-2, 2])
    async def test_a_wrong_clock_of_the_process_decides_nothing(self, database: Database, days: int) -> None:
        keep = await database.keep(**_with_clock(database, HandClock()))
        before = await keep.sessions.create("before", ttl=_HOUR)
        with wrong_clock(keep.adapter, timedelta(days=days)):
            await _use(keep)
            await _check_reads(keep, before)
        await _check_reads(keep, before)
        for session in await everything(keep.sessions.iterate()):
            for time in _times(session):
                assert abs(time - before.created_at) < _NEAR, session

    @proves("CNT-1", "TTL-3")
    async def test_a_writer_whose_clock_is_behind_moves_no_time_back(self, database: Database) -> None:
        behind = HandClock()
        behind.move(hours=-1)
        keep = await database.keep(**_with_clock(database, HandClock()))
        other = await database.keep(**_with_clock(database, behind))
        for number, (name, operation) in enumerate(WRITES.items()):
            tenant = f"t{number}"
            view = keep.for_tenant(tenant)
            await furnish(view)
            before = await view.sessions.update("s", idle_ttl=_HOUR)
            with wrong_clock(other.adapter, -_HOUR) if keep.capabilities.server_clock else nullcontext():
                await operation.run(other.for_tenant(tenant))
            after = await view.sessions.find("s")
            if after is None:
                continue  # it was deleted
            assert after.updated_at >= before.updated_at, name
            assert name == "update the ends" or _end_of(after) >= _end_of(before), name

    @proves("TTL-1", "TTL-2")
    async def test_what_ends_soon_is_still_there_for_reads_and_the_sweep(self, keep: Keep, twin: Keep) -> None:
        for seconds in (1, 10, 120):
            start, name = monotonic(), f"s{seconds}"
            await keep.sessions.create(name, ttl=seconds)
            removed = await twin.sweep()
            found = name in await twin.sessions.get_many([name])
            listed = name in [session.id for session in (await twin.sessions.list()).items]
            if monotonic() - start < seconds:  # else the machine was too busy
                assert (removed, found, listed) == (0, True, True)
