"""Pages in an order that is not the index's own (READ-5).

The index is sorted newest first, and a search in that order ends with its page. In another one the server looks at all
sessions that the filters leave. So the first search looks at a bounded number of them. If that was not enough, the page
is searched for in a window of time that begins where the page does, and the window grows until it holds the page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from agentkeep.records import SessionOrder, SessionPosition

from agentkeep_opensearch.documents import micros
from agentkeep_opensearch.driver import Reply

_FIRST_LOOK = 2_000
"""Sessions of each shard."""
_AIM = 16
"""How many pages of sessions the first window holds, if they are spread evenly over time."""
_GROWTH = 8

Search = Callable[[dict[str, Any]], Awaitable[Reply]]


class _Times(NamedTuple):
    """Of all sessions there are: how many, and their first and last time."""

    sessions: int
    first: int
    last: int


async def page(
    search: Search, body: dict[str, Any], order: SessionOrder, *, limit: int, after: SessionPosition | None
) -> list[Reply]:
    """The hits of `body`, which has the order's sort and the filters, but no size. `search` returns whole replies."""
    body = {**body, "size": limit}
    reply = await search({**body, "terminate_after": _FIRST_LOOK})
    if not reply.get("terminated_early"):
        return reply["hits"]["hits"]
    times = await _times(search, order.field)
    begin, end = (times.last, times.first) if order.descending else (times.first, times.last)
    if after is not None:
        begin = micros(after.at)
    width = (times.last - times.first) * limit * _AIM // times.sessions + 1
    while width < abs(end - begin):  # else a window leaves nothing out
        window = {"lte": begin, "gt": begin - width} if order.descending else {"gte": begin, "lt": begin + width}
        hits = (await search(_narrowed(body, {"range": {order.field: window}})))["hits"]["hits"]
        if len(hits) == limit:
            return hits
        width *= _GROWTH
    return (await search(body))["hits"]["hits"]


async def _times(search: Search, field: str) -> _Times:
    """Lucene knows these without a look at each session."""
    bounds = {"first": {"min": {"field": field}}, "last": {"max": {"field": field}}}
    reply = await search({"size": 0, "track_total_hits": True, "aggs": bounds})
    found = reply["aggregations"]
    first, last = (int(found[name]["value"] or 0) for name in bounds)  # null if all were removed meanwhile
    return _Times(max(1, reply["hits"]["total"]["value"]), first, last)


def _narrowed(body: dict[str, Any], filter: dict[str, Any]) -> dict[str, Any]:
    return {**body, "query": {"bool": {"filter": [*body["query"]["bool"]["filter"], filter]}}}
