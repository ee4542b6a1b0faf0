"""Commits near a session's end: what they cost, and that none brings a session back, however late it comes (TTL-1)."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from agentkeep import Keep, NewMessage, OutcomeUnknown, SessionNotFound
from agentkeep_conformance.proxy import Fault, Proxy
from agentkeep_conformance.servers.opensearch import request
from agentkeep_opensearch import extending

pytestmark = pytest.mark.anyio

_LIFE = 1.5
_CLOCK_STEP = 0.3
"""The server reads its clock five times a second."""


async def _round_trips(proxy: Proxy, writer: Keep, name: str) -> list[int]:
    """Of an append and of a touch."""
    proxy.reset()
    await writer.messages.append(name, [NewMessage(role="user")])
    of_append = proxy.traffic.round_trips
    await writer.sessions.touch(name)
    return [of_append, proxy.traffic.round_trips - of_append]


async def test_only_near_its_end_a_session_takes_one_more_request(keep: Keep, proxy: Proxy, writer: Keep) -> None:
    await writer.sessions.create("endless")
    await writer.sessions.create("far", idle_ttl=60)
    assert await _round_trips(proxy, writer, "endless") == [2, 2]
    assert await _round_trips(proxy, writer, "far") == [2, 2]
    await writer.sessions.create("near", idle_ttl=4)
    assert await _round_trips(proxy, writer, "near") == [3, 3]


async def test_a_server_whose_clock_is_far_ahead_costs_requests_and_no_error(
    keep: Keep, proxy: Proxy, writer: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    await writer.sessions.create("s", idle_ttl=3_600)
    monkeypatch.setattr(extending, "time", lambda: time.time() - 86_400)
    trips = await _round_trips(proxy, writer, "s")
    assert trips == [5, 5]
    assert (await keep.sessions.get("s")).message_count == 1


async def test_a_commit_that_was_sent_long_before_the_end_and_lands_after_it_brings_nothing_back(
    keep: Keep, proxy: Proxy, writer: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's clock refuses it. Here no time before the end counts as near, so that nobody waits for it."""
    monkeypatch.setattr(extending, "NEAR_END", timedelta(0))
    await writer.sessions.create("s", idle_ttl=_LIFE)
    ended_at = time.monotonic() + _LIFE
    plan = proxy.arm(Fault.STALL_REQUEST, nth=2)
    touching = asyncio.create_task(writer.sessions.touch("s", ttl=3_600))
    await plan.struck.wait()
    await asyncio.sleep(ended_at + _CLOCK_STEP - time.monotonic())
    assert await keep.sessions.count() == 0
    proxy.restore()
    with pytest.raises(SessionNotFound):
        await touching
    assert await keep.sessions.count() == 0
    assert await keep.sessions.find("s") is None


async def test_a_writer_that_was_killed_after_its_mark_leaves_a_session_that_ends_in_time(
    keep: Keep, proxy: Proxy, writer: Keep, dsn: str, prefix: str
) -> None:
    await writer.sessions.create("s", idle_ttl=_LIFE)
    ended_at = time.monotonic() + _LIFE
    proxy.arm(Fault.CUT_BEFORE_SEND, nth=3, then_refuse=True)
    with pytest.raises(OutcomeUnknown):
        await writer.sessions.touch("s")
    assert [session.id for session in (await keep.sessions.list()).items] == ["s"]
    await asyncio.sleep(ended_at + 0.05 - time.monotonic())
    assert (await keep.sessions.list()).items == []
    assert await keep.sessions.count() == 0
    await keep.sweep()
    request(dsn, "POST", f"/{prefix}-*/_refresh")
    assert request(dsn, "POST", f"/{prefix}-*/_search", {"size": 1})["hits"]["hits"] == []
