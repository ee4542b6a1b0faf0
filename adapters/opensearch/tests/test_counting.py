"""OpenSearch counts the hits of a search up to 10,000 and then stops, unless it is asked for all (READ-1, ORD-5)."""

from __future__ import annotations

from typing import Any

import pytest
from agentkeep import Keep
from opensearchpy import AsyncOpenSearch

pytestmark = pytest.mark.anyio

_SERVERS_LIMIT = 10_000


async def _store_copies(dsn: str, prefix: str, count: int) -> None:
    """Of the one session that is stored, as documents alone."""
    async with AsyncOpenSearch(hosts=[dsn.replace("opensearch", "http", 1)]) as client:
        found = await client.search(index=f"{prefix}-sessions")
        [hit] = found["hits"]["hits"]
        for first in range(0, count, 1_000):
            names = [f"copy {number}" for number in range(first, min(count, first + 1_000))]
            body = [part for name in names for part in ({"create": {"_id": name}}, hit["_source"])]
            reply = await client.bulk(index=hit["_index"], body=body, params={"refresh": "true"})
            assert not reply["errors"]


async def test_more_sessions_than_the_server_counts_by_itself_are_counted(keep: Keep, dsn: str, prefix: str) -> None:
    await keep.sessions.create("s", user_id="u", metadata={"k": 1})
    await keep.sessions.count()  # the server shows it to searches from now on
    await _store_copies(dsn, prefix, _SERVERS_LIMIT + 50)
    filters: dict[str, Any]
    for filters in ({}, {"user_id": "u"}, {"metadata": {"k": 1}}):
        assert await keep.sessions.count(**filters) == _SERVERS_LIMIT + 51
    assert await keep.sessions.delete_many(user_id="u", dry_run=True) == _SERVERS_LIMIT + 51
