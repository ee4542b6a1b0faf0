"""A reader between the requests of an append: it sees all of the append or nothing (ORD-2)."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch

import pytest
from agentkeep import Keep, NewMessage
from agentkeep_opensearch import OpenSearchAdapter, bulk
from agentkeep_opensearch.client import Client

pytestmark = pytest.mark.anyio

_ITEMS = 6
"""Of two messages: two pointers and two documents; and as many requests. The session's two come before."""


@pytest.mark.parametrize("sent", range(1, _ITEMS + 1))
async def test_messages_by_their_ids_are_all_there_or_none(keep: Keep, dsn: str, prefix: str, sent: int) -> None:
    """The append stops after some of its requests until the reader has the reply to its first one."""
    await keep.sessions.create("s")
    whole = Client.request
    writer = OpenSearchAdapter.from_url(dsn, prefix=prefix)
    stopped, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
    requests = {"writer": 0, "reader": 0}

    async def request(client: Client, method: str, path: str, *args: Any, **kwargs: Any) -> Any:
        name = "writer" if client is writer._client else "reader"  # pyright: ignore[reportPrivateUsage]
        reply = await whole(client, method, path, *args, **kwargs)
        requests[name] += 1
        if name == "writer" and requests[name] == sent:
            stopped.set()
            await go_on.wait()
        if name == "reader" and requests[name] == 1:
            go_on.set()
            await done.wait()
        return reply

    async def append(other: Keep) -> None:
        await other.messages.append("s", [NewMessage(role="user", content="x", id=id) for id in ("a1", "a2")])
        done.set()

    async with Keep(writer) as other:
        with patch.object(Client, "request", request), patch.object(bulk, "_BYTES", 1):
            writing = asyncio.create_task(append(other))
            await stopped.wait()
            found = await keep.messages.get_many("s", ["a1", "a2"])
            await writing
    assert requests["writer"] == _ITEMS
    assert list(found) == (["a1", "a2"] if sent > 1 else [])
