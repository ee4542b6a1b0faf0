"""Which sessions a query means, in which order. A search sees what the last refresh has shown; so each begins with one,
which costs nothing if there is nothing new, and is shared by all who ask at that moment (ORD-5)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery, SessionRecord

from agentkeep_opensearch import other_orders
from agentkeep_opensearch.client import Client, encode
from agentkeep_opensearch.commit import MESSAGES, Store
from agentkeep_opensearch.documents import DEAD, Loaded, micros, session_of
from agentkeep_opensearch.driver import Reply
from agentkeep_opensearch.errors import error_of, reply_error
from agentkeep_opensearch.extending import end_all

_MANY_LABELS = 200
_ORDER_OF_INDEX = ("updated_at", True)
"""Newest first: see `schema.py`."""
_MOST_ENDED = 100
"""Sessions that one request finds whose end somebody may be moving."""
Query = dict[str, Any]
_EXTENDING: Query = {"term": {"is_extending": True}}


class Refresher:
    """Refreshes one index for all who wait."""

    def __init__(self, client: Client, index: str) -> None:
        self._client = client
        self._index = index
        self._next: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def refresh(self) -> None:
        """Return when all that was written before this call is shown."""
        if self._next is None:
            self._next = self._client.spawn(self._run())
        await asyncio.shield(self._next)

    async def _run(self) -> None:
        async with self._one_at_a_time:
            self._next = None  # who comes from now on needs a later one
            await self._client.request("POST", f"/{self._index}/_refresh")  # a part of reads: it changes no data


class Listing:
    def __init__(self, store: Store, refresher: Refresher) -> None:
        self._store = store
        self._client = store.client
        self._names = store.names
        self._now = store.now
        self._refresher = refresher

    async def page(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:
        return await self._store.again(lambda: self._page(scope, query, order, limit=limit, after=after))

    async def _page(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:
        """Also finds the expired sessions whose end somebody may be moving. Raises `Lost` if there are any."""
        now = self._now()
        living: Query = {"bool": {"should": [_living(now), _EXTENDING]}}
        direction = "desc" if order.descending else "asc"
        body: Query = {
            "query": {"bool": {"filter": [*_filters(scope, query), living]}},
            "sort": [{order.field: direction}, {"id": direction}],
            "_source": {"excludes": MESSAGES},
        }
        if after is not None:
            body["search_after"] = [micros(after.at), after.id]
        await self._refresher.refresh()
        if (order.field, order.descending) == _ORDER_OF_INDEX:
            hits = await self.search({**body, "size": limit})
        else:
            hits = await other_orders.page(self._reply, body, order, limit=limit, after=after)
        found = [session_of(hit["_id"], hit["_source"]) for hit in hits]
        await end_all(self._store, found, now)
        return [session.record for session in found]

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        return await self._store.again(lambda: self._count(scope, query))

    async def _count(self, scope: Scope, query: SessionQuery) -> int:
        """One request for the number and for the expired sessions whose end somebody may be moving. Raises `Lost`.

        Both are searches: `_count` leaves out a shard that does not answer, and can't be told not to (3.8.0).
        """
        now = self._now()
        expired = {"range": {"expires_at": {"gt": DEAD, "lte": micros(now)}}}
        filters = _filters(scope, query)
        living: Query = {"query": {"bool": {"filter": [*filters, _living(now)]}}, "size": 0, "track_total_hits": True}
        extending: Query = {
            "query": {"bool": {"filter": [*filters, expired, _EXTENDING]}},
            "size": _MOST_ENDED,
            "track_total_hits": False,
            "_source": {"excludes": MESSAGES},
        }
        await self._refresher.refresh()
        counted, ended = await self._searches([living, extending])
        await end_all(self._store, [session_of(hit["_id"], hit["_source"]) for hit in ended["hits"]], now)
        return int(counted["total"]["value"])

    async def matching(self, scope: Scope, query: SessionQuery, limit: int) -> list[Loaded]:
        """Any `limit` living ones."""
        return await self.loaded([*_filters(scope, query), _living(self._now())], limit)

    async def expired(self, scope: Scope | None, limit: int) -> list[Loaded]:
        now = micros(self._now())
        due = [{"range": {name: {"lte": now}}} for name in ("expires_at", "held_until")]
        return await self.loaded([*_scope_filters(scope), *due], limit)

    async def dirty(self, limit: int) -> list[Loaded]:
        return await self.loaded([{"term": {"is_dirty": True}}, _living(self._now())], limit)

    async def loaded(self, filters: Sequence[Query], limit: int) -> list[Loaded]:
        await self._refresher.refresh()
        body = {
            "query": {"bool": {"filter": list(filters)}},
            "seq_no_primary_term": True,
            "size": limit,
            "_source": {"excludes": ["state", "metadata", "labels"]},
        }
        hits = await self.search(body)
        return [Loaded(session_of(hit["_id"], hit["_source"]), hit["_seq_no"], hit["_primary_term"]) for hit in hits]

    async def search(self, body: Query) -> list[Reply]:
        return (await self._reply(body))["hits"]["hits"]

    async def _reply(self, body: Query) -> Reply:
        params = {"allow_partial_search_results": "false"}
        path = f"/{self._names.sessions}/_search"
        return await self._client.request("POST", path, {"track_total_hits": False, **body}, params=params)

    async def _searches(self, bodies: Sequence[Query]) -> list[Reply]:
        """What all shards found together, for several searches of one request, or an error."""
        head = encode({"allow_partial_search_results": False})
        lines = b"".join(line + b"\n" for body in bodies for line in (head, encode(body)))
        reply = await self._client.request("POST", f"/{self._names.sessions}/_msearch", lines)
        for each in reply["responses"]:
            if "error" in each:
                failed = reply_error(each["status"], each)
                raise error_of(failed, self._client.server) from failed
        return [each["hits"] for each in reply["responses"]]


def _filters(scope: Scope, query: SessionQuery) -> list[Query]:
    """Of the living and the expired."""
    equal = {name: getattr(query, name) for name in ("user_id", "agent_name", "status", "parent_id")}
    filters = [*_scope_filters(scope), *({"term": {name: value}} for name, value in equal.items() if value is not None)]
    filters += _label_filters(query.labels)
    between = {"gt": query.updated_after, "lt": query.updated_before}
    bounds = {name: micros(moment) for name, moment in between.items() if moment is not None}
    if bounds:
        filters.append({"range": {"updated_at": bounds}})
    return filters


def _label_filters(labels: Sequence[str]) -> list[Query]:
    """A query may have 1,024 clauses by default, and metadata more entries."""
    if len(labels) <= _MANY_LABELS:
        return [{"term": {"labels": label}} for label in labels]
    all_of = {"terms": labels, "minimum_should_match_script": {"source": "params.num_terms"}}
    return [{"terms_set": {"labels": all_of}}]


def _scope_filters(scope: Scope | None) -> list[Query]:
    if scope is None:
        return []
    user = [] if scope.user_id is None else [{"term": {"user_id": scope.user_id}}]
    return [{"term": {"tenant": scope.tenant}}, *user]


def _living(now: datetime) -> Query:
    return {"range": {"expires_at": {"gt": micros(now)}}}
