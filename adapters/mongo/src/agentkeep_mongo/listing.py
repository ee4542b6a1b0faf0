"""Listing and counting sessions: the filter and the index of a query (READ-2, READ-5).

A page also tells if sessions have expired that are still in the indexes of listings. Then they leave the indexes, so
that later pages do not pass them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from agentkeep.errors import PersistenceError
from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery
from bson import Int64
from pymongo import ASCENDING, DESCENDING

from agentkeep_mongo import statements
from agentkeep_mongo.client import Client, Collections
from agentkeep_mongo.documents import NEVER, Document, micros

LEADS = {"parent_id": "parent", "user_id": "user", "labels": "label", "agent_name": "agent", "status": "status"}
"""What can lead an index of its own, with the name in the index's: first the one that likely leaves the fewest."""

FIELDS: Document = {"batches": 0, "labels": 0, "edits": 0}
"""What a listing does not read."""


def index_name(lead: str, field: str) -> str:
    return f"by_{lead}_{field}"


def conditions(scope: Scope, query: SessionQuery) -> Document:
    """A filter for the living sessions of a query."""
    given = {"tenant": scope.tenant, "listed": True, **_equal(scope, query), **statements.ALIVE}
    if query.labels:
        given["labels"] = {"$all": list(query.labels)}
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


def hint(scope: Scope, query: SessionQuery, field: str) -> str:
    """The index to walk: plans then depend on no statistics (COST-4)."""
    given = {name: getattr(query, name) for name in LEADS}
    given["user_id"] = query.user_id or scope.user_id
    lead = next((short for name, short in LEADS.items() if given[name]), "all")
    return index_name(lead, field)


def page_filter(scope: Scope, query: SessionQuery, order: SessionOrder, after: SessionPosition | None) -> Document:
    """The filter of a page that begins after a position."""
    wanted = conditions(scope, query)
    if after is None:
        return wanted
    at, reached, beyond = micros(after.at), *(("$lte", "$lt") if order.descending else ("$gte", "$gt"))
    bounds = {"$and": [wanted, {order.field: {reached: at}}]}
    bounds["$and"].append({"$or": [{order.field: {beyond: at}}, {"id": {beyond: after.id}}]})
    return bounds


def sorting(order: SessionOrder) -> list[tuple[str, int]]:
    side = DESCENDING if order.descending else ASCENDING
    return [(order.field, side), ("id", side)]


async def read_page(
    client: Client, scope: Scope, query: SessionQuery, order: SessionOrder, limit: int, after: SessionPosition | None
) -> Sequence[Document]:
    """The documents of a page."""
    wanted, index = page_filter(scope, query, order, after), hint(scope, query, order.field)

    async def send(to: Collections) -> list[Document]:
        pipeline: statements.Pipeline = [
            {"$match": wanted},
            {"$sort": dict(sorting(order))},
            {"$limit": limit},
            {"$project": FIELDS},
            {"$unionWith": {"coll": to.sessions.name, "pipeline": _ONE_TO_UNLIST}},
        ]
        return await (await to.seen.aggregate(pipeline, hint=index, batchSize=limit + 2)).to_list()

    found = await client.read(send)
    if found and _TO_UNLIST in found[-1]:
        found.pop()
        await unlist_expired(client)
    return found


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


EVERYTHING_IS_OVER = Int64(0)
"""The `expires_at` of a deleted session, until it is removed."""

_UNLISTED_AT_ONCE = 500
_TO_UNLIST = "to_unlist"
_ONE_TO_UNLIST: statements.Pipeline = [
    {"$match": {**expired(None), "listed": True}},
    {"$limit": 1},
    {"$project": {"_id": 1, _TO_UNLIST: statements.literal(True)}},
]
"""The last document of a page, if there are such sessions."""
