"""A slow writer whose session is removed before its messages are sent: nothing of them stays (SES-6, TTL-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from agentkeep import AlreadyExists, Keep, NewMessage, transfer
from agentkeep_conformance.servers.opensearch import request as ask
from agentkeep_opensearch import OpenSearchAdapter
from agentkeep_opensearch.client import Client
from msgspec.structs import replace

pytestmark = pytest.mark.anyio

_LONG = 90


async def _copy(keep: Keep, verb: str) -> None:
    if verb == "fork":
        await keep.sessions.fork("s", new_id="copy")
    else:
        session, messages = await keep.sessions.resume("s", tail=_LONG)
        await transfer.restore(keep, replace(session, id="copy"), messages)


async def _left(dsn: str, prefix: str) -> list[str]:
    """The ids of all documents."""
    await asyncio.to_thread(ask, dsn, "POST", f"/{prefix}-*/_refresh")
    found = await asyncio.to_thread(ask, dsn, "GET", f"/{prefix}-*/_search?size=1000")
    return [hit["_id"] for hit in found["hits"]["hits"]]


@contextmanager
def _bulks_held(writer: OpenSearchAdapter) -> Generator[tuple[asyncio.Event, asyncio.Event]]:
    """The first event says that the writer is about to send messages, the second one lets it."""
    whole, stopped, go_on = Client.request, asyncio.Event(), asyncio.Event()

    async def request(client: Client, method: str, path: str, *args: Any, **kwargs: Any) -> Any:
        is_writers = client is writer._client  # pyright: ignore[reportPrivateUsage]
        if is_writers and path.endswith("_bulk"):
            stopped.set()
            await go_on.wait()
        return await whole(client, method, path, *args, **kwargs)

    with patch.object(Client, "request", request):
        yield stopped, go_on


@pytest.mark.parametrize("verb", ["fork", "restore"])
async def test_a_copy_that_lost_its_place_leaves_nothing(keep: Keep, dsn: str, prefix: str, verb: str) -> None:
    """Its messages are sent when the other call has removed what it saw of the copy."""
    for _ in range(_LONG // 30):
        await keep.messages.append("s", [NewMessage(role="user", content="x") for _ in range(30)], create={})
    writer = OpenSearchAdapter.from_url(dsn, prefix=prefix)
    async with Keep(writer) as other:
        with _bulks_held(writer) as (stopped, go_on):
            copying = asyncio.create_task(_copy(other, verb))
            await stopped.wait()
            await keep.sessions.create("copy")
            go_on.set()
            with pytest.raises(AlreadyExists):
                await copying
    for session_id in ("s", "copy"):
        assert await keep.sessions.delete(session_id)
    assert await _left(dsn, prefix) == []


async def test_a_move_after_the_end_leaves_nothing(keep: Keep, dsn: str, prefix: str) -> None:
    """A reader without the messages marks the session as dead, and a sweep removes it, before the writer moves them."""
    writer = OpenSearchAdapter.from_url(dsn, prefix=prefix)
    later = OpenSearchAdapter.from_url(dsn, prefix=prefix, clock=lambda: datetime.now(UTC) + timedelta(hours=2))
    await keep.sessions.create("s", ttl=3600)
    async with Keep(writer) as other, Keep(later) as reader:
        with _bulks_held(writer) as (stopped, go_on):
            appending = asyncio.create_task(other.messages.append("s", [NewMessage(role="user", content="x")]))
            await stopped.wait()
            assert await reader.sessions.find("s") is None
            assert await reader.sweep() == 1
            go_on.set()
            await appending
    assert await _left(dsn, prefix) == []


async def _create(keep: Keep, verb: str) -> None:
    if verb == "create":
        await keep.sessions.create("copy")
    else:
        await keep.messages.append("copy", [NewMessage(role="user", content="x")], create={})


@pytest.mark.parametrize("creation", ["create", "append"])
@pytest.mark.parametrize("verb", ["fork", "restore"])
async def test_a_create_that_comes_too_late_takes_nothing_from_a_copy(
    keep: Keep, dsn: str, prefix: str, verb: str, creation: str
) -> None:
    """The create found the copy while it was being written, and goes on when it is there (FLT-1, SES-5)."""
    for _ in range(_LONG // 30):
        await keep.messages.append("s", [NewMessage(role="user", content="x") for _ in range(30)], create={})
    writer, creator = (OpenSearchAdapter.from_url(dsn, prefix=prefix) for _ in range(2))
    whole, written, erased, over = Client.request, asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def request(client: Client, method: str, path: str, *args: Any, **kwargs: Any) -> Any:
        reply = await whole(client, method, path, *args, **kwargs)
        if path.endswith("_bulk"):
            if client is writer._client:  # pyright: ignore[reportPrivateUsage]
                written.set()
                await erased.wait()
            elif client is creator._client and not erased.is_set():  # pyright: ignore[reportPrivateUsage]
                erased.set()
                await over.wait()
        return reply

    async with Keep(writer) as other, Keep(creator) as third:
        with patch.object(Client, "request", request):
            copying = asyncio.create_task(_copy(other, verb))
            await written.wait()
            creating = asyncio.create_task(_create(third, creation))
            copied, _ = await asyncio.wait({copying})
            over.set()
            created, _ = await asyncio.wait({creating})
    outcomes = [task.exception() for task in (*copied, *created)]
    assert None in outcomes, outcomes
    session = await keep.sessions.get("copy")
    assert len(await keep.messages.tail("copy", 2 * _LONG)) == session.message_count
    for session_id in ("s", "copy"):
        assert await keep.sessions.delete(session_id)
    assert await _left(dsn, prefix) == []
