"""Listing and counting sessions: the filter and the index of a query (READ-2, READ-5).

Now and then a page also asks if sessions have expired that are still in the indexes of listings. Then they leave the
indexes, so that later pages do not pass them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Any

from agentkeep.errors import PersistenceError
from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery
from bson import Int64
from pymongo import ASCENDING, DESCENDING

from agentkeep_mongo import statements
from agentkeep_mongo.client import Client
from agentkeep_mongo.concerns import Collections
from agentkeep_mongo.documents import NEVER, RECORD_FIELDS, Document, micros

_LEADS = {"parent_id": "parent", "user_id": "user", "agent_name": "agent", "status": "status"}
_COUNTED = 100

EVERYTHING_IS_OVER = Int64(0)
"""The `expires_at` of a deleted session, until it is removed."""

FIELDS: Document = {"_id": 0, **dict.fromkeys(RECORD_FIELDS, 1)}
"""What a caller gets of a session: no message."""


def conditions(scope: Scope, query: SessionQuery, lead: Document) -> Document:
    """A filter for the living sessions of a query. `lead`: the condition whose index is walked."""
    given = {"tenant": scope.tenant, "listed": True, **_equal(scope, query), **lead}
    if not lead:
        given["expires_at"] = {"$gt": EVERYTHING_IS_OVER}  # so says the index of all sessions
    has_labels = [{"$in": [statements.literal(each), "$labels"]} for each in query.labels or ()]
    given["$expr"] = {"$and": [statements.ALIVE["$expr"], *has_labels]}
    bounds: dict[str, Any] = {}
    if query.updated_after is not None:
        bounds["$gt"] = micros(query.updated_after)
    if query.updated_before is not None:
        bounds["$lt"] = micros(query.updated_before)
    return given | ({"updated_at": bounds} if bounds else {})


def _equal(scope: Scope, query: SessionQuery) -> Document:
    users = {scope.user_id, query.user_id} - {None}
    given: Document = {"user_id": {"$in": list(users)}} if users else {}
    if len(users) > 1:
        given = {"user_id": {"$in": []}}  # nobody is both
    elif users:
        given = {"user_id": users.pop()}
    for name in ("agent_name", "status", "parent_id"):
        value = getattr(query, name)
        if value is not None:
            given[name] = value
    return given


async def plan(client: Client, scope: Scope, query: SessionQuery, field: str) -> tuple[Document, str]:
    """A filter for the living sessions of a query, and the index to walk: no plan depends on statistics (COST-4).

    Of several filters the one leads that matches the fewest sessions, counted up to 100. That is one more request.
    """
    filters = _filters(scope, query)
    lead, condition = filters[0] if filters else ("all", {})
    if len(filters) > 1:
        lead, condition = await client.read(lambda to: _rarest(to, scope, filters))
    return conditions(scope, query, condition), f"by_{lead}_{field}"


def _filters(scope: Scope, query: SessionQuery) -> list[tuple[str, Document]]:
    """What can lead an index of its own, with the name in the index's: first the one that likely leaves the fewest."""
    equal = _equal(scope, query)
    labels: list[tuple[str, Document]] = [("label", {"labels": label}) for label in query.labels or ()]
    found = [(lead, {name: equal[name]}) for name, lead in _LEADS.items() if name in equal]
    first = [each for each in found if each[0] in ("parent", "user")]
    return [*first, *labels, *(each for each in found if each not in first)]


async def _rarest(to: Collections, scope: Scope, filters: Sequence[tuple[str, Document]]) -> tuple[str, Document]:
    pipelines: list[statements.Pipeline] = [
        [
            {"$match": {"tenant": scope.tenant, "listed": True, **condition}},
            {"$limit": _COUNTED},
            {"$count": "count"},
            {"$set": {"number": number}},
        ]
        for number, (_, condition) in enumerate(filters)
    ]
    others = [{"$unionWith": {"coll": to.sessions.name, "pipeline": each}} for each in pipelines[1:]]
    counted = await (await to.sessions.aggregate([*pipelines[0], *others])).to_list()
    counts = {each["number"]: each["count"] for each in counted}
    return filters[min(range(len(filters)), key=lambda number: counts.get(number, 0))]


def page_filter(wanted: Document, order: SessionOrder, after: SessionPosition | None) -> Document:
    """The filter of a page that begins after a position."""
    if after is None:
        return wanted
    at, reached, beyond = micros(after.at), *(("$lte", "$lt") if order.descending else ("$gte", "$gt"))
    bounds = {"$and": [wanted, {order.field: {reached: at}}]}
    bounds["$and"].append({"$or": [{order.field: {beyond: at}}, {"id": {beyond: after.id}}]})
    return bounds


def sorting(order: SessionOrder) -> list[tuple[str, int]]:
    side = DESCENDING if order.descending else ASCENDING
    return [(order.field, side), ("id", side)]


class Listing:
    """Pages of sessions, and the upkeep of their indexes: at most once a second, as long as nothing is found."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._cleared_at = -inf

    async def page(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, limit: int, after: SessionPosition | None
    ) -> Sequence[Document]:
        """The documents of a page."""
        living, index = await plan(self._client, scope, query, order.field)
        wanted = page_filter(living, order, after)
        if monotonic() - self._cleared_at < _CLEAR_SECONDS:
            return await self._client.read_seen(
                lambda to: (
                    to.seen.find(wanted, FIELDS, hint=index, limit=limit, batch_size=limit + 1)
                    .sort(sorting(order))
                    .to_list()
                )
            )
        found = await self._client.read_seen(lambda to: _page_and_one_to_unlist(to, wanted, order, limit, index))
        if found and _TO_UNLIST in found[-1]:
            found.pop()
            await unlist_expired(self._client)
        else:
            self._cleared_at = monotonic()
        return found


async def _page_and_one_to_unlist(
    to: Collections, wanted: Document, order: SessionOrder, limit: int, index: str
) -> list[Document]:
    pipeline: statements.Pipeline = [
        {"$match": wanted},
        {"$sort": dict(sorting(order))},
        {"$limit": limit},
        {"$project": FIELDS},
        {"$unionWith": {"coll": to.sessions.name, "pipeline": _ONE_TO_UNLIST}},
    ]
    return await (await to.seen.aggregate(pipeline, hint=index, batchSize=limit + 2)).to_list()


async def unlist_expired(client: Client) -> None:
    """Take sessions that have expired out of the indexes of listings, in a bounded step (COST-3)."""
    wanted = {**expired(None), "listed": True}
    change = [{"$set": {"writes": statements.added("writes", 1)}}, {"$unset": "listed"}]
    with suppress(PersistenceError):  # the next listing tries again
        found = await client.read(
            lambda to: to.sessions.find(wanted, {"_id": 1}, hint="expired", limit=_UNLISTED_AT_ONCE).to_list()
        )
        these = {**wanted, "_id": {"$in": [each["_id"] for each in found]}}
        await client.read(lambda to: to.sessions.update_many(these, change))


def expired(scope: Scope | None) -> Document:
    """A filter for what a sweep removes. Its plain bounds let the server (6.0) use the partial index."""
    over = {"$lte": ["$expires_at", statements.NOW]}
    wanted: Document = {"listed": {"$in": [True, None]}, "expires_at": {"$lt": NEVER}, "$expr": over}
    if scope is not None:
        wanted |= {"tenant": scope.tenant, **statements.of_scope(scope)}
    return wanted


_UNLISTED_AT_ONCE = 500
_CLEAR_SECONDS = 1.0
"""So long after a page that found no expired session in the indexes, pages do not ask for one."""
_TO_UNLIST = "to_unlist"
_ONE_TO_UNLIST: statements.Pipeline = [
    {"$match": {**expired(None), "listed": True}},
    {"$limit": 1},
    {"$project": {"_id": 1, _TO_UNLIST: statements.literal(True)}},
]
"""The last document of a page, if there are such sessions."""
