"""What the driver's client decides, and what it does not: the caller's clock, and how an adapter closes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from agentkeep import Keep, SessionNotFound
from agentkeep_conformance.samples import HandClock
from agentkeep_conformance.storage.opensearch import drop_indices
from agentkeep_opensearch import OpenSearchAdapter
from opensearchpy import AsyncHttpConnection, AsyncOpenSearch

pytestmark = pytest.mark.anyio


async def test_a_clock_is_gone_by_over_a_callers_client(dsn: str, prefix: str) -> None:
    """TTL-1: it decides whether the adapter makes the client or the caller does."""
    clock = HandClock()
    async with (
        AsyncOpenSearch(hosts=[dsn.replace("opensearch", "http", 1)]) as client,
        Keep(OpenSearchAdapter(client, prefix=prefix, clock=clock)) as keep,
    ):
        assert (await keep.sessions.create("s", ttl=timedelta(hours=1))).created_at == clock.now
        clock.move(hours=2)
        with pytest.raises(SessionNotFound):
            await keep.sessions.get("s")
    drop_indices(dsn, prefix)


async def test_closing_ends_although_the_driver_fails(dsn: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """LIFE-2: the connections to both hosts are closed then, and the adapter may be opened again."""
    adapter = OpenSearchAdapter.from_url(f"{dsn},{dsn.partition('//')[2]}", prefix=prefix)
    closed: list[AsyncHttpConnection] = []
    close = AsyncHttpConnection.close

    async def fail_to_close(client: AsyncOpenSearch) -> None:
        raise OSError("the driver can't close")

    async def noted(connection: AsyncHttpConnection) -> None:
        closed.append(connection)
        await close(connection)

    await adapter.open()
    with monkeypatch.context() as patched:
        patched.setattr(AsyncOpenSearch, "close", fail_to_close)
        patched.setattr(AsyncHttpConnection, "close", noted)
        await adapter.close()
    assert len(closed) == 2
    async with Keep(adapter) as keep:
        await keep.sessions.create("s")
    drop_indices(dsn, prefix)
