"""How much of the index a listing looks at (READ-5)."""

from __future__ import annotations

from typing import Any

import pytest
from agentkeep import Keep
from agentkeep_conformance.servers.opensearch import request
from agentkeep_opensearch.listing import Listing

pytestmark = pytest.mark.anyio

_FEW, _MANY = 40, 640


async def _looked_at(keep: Keep, dsn: str, prefix: str, monkeypatch: pytest.MonkeyPatch, **filters: Any) -> int:
    """Documents that the server visits for a page of 10, if each shard has one segment."""
    request(dsn, "POST", f"/{prefix}*/_refresh")
    request(dsn, "POST", f"/{prefix}*/_forcemerge?max_num_segments=1")
    searched: list[dict[str, Any]] = []
    search = Listing.search

    async def kept(listing: Listing, body: dict[str, Any]) -> Any:
        searched.append(body)
        return await search(listing, body)

    with monkeypatch.context() as patch:
        patch.setattr(Listing, "search", kept)
        assert len((await keep.sessions.list(limit=10, **filters)).items) == 10
    (body,) = searched
    reply = request(dsn, "POST", f"/{prefix}-sessions/_search", {**body, "track_total_hits": False, "profile": True})
    shards: list[Any] = reply["profile"]["shards"]
    queries = [query for shard in shards for part in shard["searches"] for query in part["query"]]
    return sum(query["breakdown"]["next_doc_count"] for query in queries)


@pytest.mark.parametrize("filters", [{}, {"metadata": {"kind": "k"}}, {"status": "active"}, {"user_id": "u"}])
async def test_a_listing_looks_at_its_page_however_many_sessions_there_are(
    keep: Keep, dsn: str, prefix: str, monkeypatch: pytest.MonkeyPatch, filters: dict[str, Any]
) -> None:
    looked_at: list[int] = []
    done = 0
    for count in (_FEW, _MANY):
        for number in range(done, count):
            await keep.sessions.create(f"s{number}", user_id="u", metadata={"kind": "k"})
        done = count
        looked_at.append(await _looked_at(keep, dsn, prefix, monkeypatch, **filters))
    assert 0 < looked_at[1] <= looked_at[0] + 10, looked_at
