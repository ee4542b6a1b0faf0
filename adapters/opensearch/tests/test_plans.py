"""How much of the index a listing looks at (READ-5)."""

from __future__ import annotations

from typing import Any

import pytest
from agentkeep import Keep
from agentkeep.sessions import Order
from agentkeep_conformance.servers.opensearch import request
from agentkeep_opensearch import other_orders
from agentkeep_opensearch.client import Client

pytestmark = pytest.mark.anyio

_FEW, _MANY = 40, 160
"""Each session costs requests of the server. A listing that looked at all of them would look at 160 documents and not
at 50: that is seen as well as with more."""


async def _looked_at(keep: Keep, dsn: str, prefix: str, monkeypatch: pytest.MonkeyPatch, **filters: Any) -> int:
    """Documents that the server visits for a page of 10, if each shard has one segment."""
    request(dsn, "POST", f"/{prefix}*/_refresh")
    request(dsn, "POST", f"/{prefix}*/_forcemerge?max_num_segments=1")
    searched: list[dict[str, Any]] = []
    send = Client.request

    async def kept(client: Client, method: str, path: str, body: Any = None, **kwargs: Any) -> Any:
        if path.endswith("/_search"):
            searched.append(body)
        return await send(client, method, path, body, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Client, "request", kept)
        assert len((await keep.sessions.list(limit=10, **filters)).items) == 10
    replies = [request(dsn, "POST", f"/{prefix}-sessions/_search", {**body, "profile": True}) for body in searched]
    shards: list[Any] = [shard for reply in replies for shard in reply["profile"]["shards"]]
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


_COMMON: list[dict[str, Any]] = [{}, {"metadata": {"kind": "k"}}]
_OTHERS: list[Order] = ["updated_at", "created_at", "-created_at"]
_SPREAD = 640
"""Here the first window is one thirty-second of the time, and a quarter if the sessions of it are too few for a page.
With fewer sessions the second one would be all of the time, on a machine that was slow at first."""


async def test_a_listing_in_another_order_looks_at_a_part_of_the_sessions(
    keep: Keep, dsn: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a page that begins behind a cursor, too. All pages together are the sessions in that order."""
    monkeypatch.setattr(other_orders, "_FIRST_LOOK", _FEW)
    monkeypatch.setattr(other_orders, "_AIM", 2)
    for number in range(_SPREAD):
        await keep.sessions.create(f"s{number}", user_id="u", metadata={"kind": "k"})
    names = [f"s{number}" for number in range(_SPREAD)]
    for order in _OTHERS:
        for filters in _COMMON:
            assert await _looked_at(keep, dsn, prefix, monkeypatch, order=order, **filters) < _SPREAD / 2
            found = [session.id async for session in keep.sessions.iterate(order=order, **filters)]
            assert found == (names[::-1] if order.startswith("-") else names)
