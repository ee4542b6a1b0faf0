"""The requests that read a log, as the server takes them (see `statements.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from agentkeep.records import MessageRange, Scope
from bson import Int64, MaxKey

from agentkeep_mongo.documents import Document, Life, Segment
from agentkeep_mongo.statements import ALIVE, NOW, Pipeline, literal, of_scope

_ABOVE_ALL = Int64(2**62)

HEAD: Document = {"life": 1, "segments": 1, "floor": 1, "unsettled": 1}
"""What a reader must know of a session to judge its messages."""
_READ: Document = {"first": 1, "at": 1, "messages": {"id": 1, "role": 1, "payload": 1, "at": 1}}
"""What a reader needs of a batch."""
MOVED: Document = {"_id": 0, "q": "$_id.q", "e": 1, "id": 1, "role": 1, "payload": 1, "at": 1}
_PENDING: Document = {
    **{name: f"$messages.{name}" for name in ("id", "role", "payload")},
    "at": {"$ifNull": ["$messages.at", "$at"]},
}
_NOT_READ = ["labels", "batches.messages.text", "batches.messages.key"]


def _sized(expression: Any, count: Any, side: Literal[1, -1]) -> Document:
    """The first or last `count` of an array; `count` may be an expression, and 0 or less."""
    sliced = {"$slice": [expression, {"$multiply": [count, side]}]}
    return {"$cond": [{"$gt": [count, 0]}, sliced, []]}


def _hits(ids: Sequence[str], others: Document) -> Document:
    """Those of these messages that stand in batches, with `others` of their fields."""
    some: Document = {"$setIntersection": [{"$ifNull": ["$$b.messages.id", []]}, literal(list(ids))]}
    batches = {"$filter": {"input": "$batches", "as": "b", "cond": {"$gt": [{"$size": some}, 0]}}}
    message = {
        "$let": {
            "vars": {"m": {"$arrayElemAt": ["$$this.messages", "$$n"]}},
            "in": {"q": {"$add": ["$$this.first", "$$n"]}, "id": "$$m.id", **others},
        }
    }
    numbers: Document = {"$range": [0, {"$size": "$$this.messages"}]}
    one: Document = {"$map": {"input": numbers, "as": "n", "in": message}}
    messages: Document = {"$reduce": {"input": batches, "initialValue": [], "in": {"$concatArrays": ["$$value", one]}}}
    return {"$filter": {"input": messages, "as": "m", "cond": {"$in": ["$$m.id", literal(list(ids))]}}}


def window(key: str, scope: Scope, wanted: MessageRange, collection: str, *, extra: int, whole: bool) -> Pipeline:
    """A living session with its messages of a range: `moved` of their own collection, and the `batches` that hold some.

    `extra`: how many more documents to read, because some may be leftovers. `whole`: with the session's own fields.
    The result is one document. If the moved messages take more than 16 MiB the server refuses it: see `without_moved`.
    """
    side: Literal[1, -1] = -1 if wanted.newest_first else 1
    before = _ABOVE_ALL if wanted.before is None else Int64(wanted.before)
    limit = wanted.limit + extra
    of_range: Pipeline = [
        {"$match": {"$expr": {"$and": [{"$gt": ["$_id", _id(key, "$$low")]}, {"$lt": ["$_id", _id(key, before)]}]}}},
        {"$sort": {"_id": side}},
        {"$limit": limit},
        {"$project": MOVED},
    ]
    return [
        {"$match": {"_id": key, **of_scope(scope), **ALIVE}},
        {"$lookup": _lookup(collection, {"life": "$life", "low": _lowest_moved(wanted, before, limit)}, of_range)},
        {"$set": _parts(wanted, before, limit)},
        {"$unset": _NOT_READ} if whole else {"$project": {**HEAD, "moved": 1, "batches": _READ}},
    ]


def tail(key: str, scope: Scope, limit: int, collection: str, *, whole: bool) -> Pipeline:
    """A living session as `head`, then its newest messages, newest first: those of its batches, then the moved ones.

    The server opens the messages' collection only if the batches hold too few, which saves more than half of its time
    (6.0.5). A `$unionWith` knows nothing of the session, so it reads whichever life's messages come last.
    """
    own: Any = {name: f"${name}" for name in ("_id", *HEAD)}
    if whole:
        own = {"$unsetField": {"field": "labels", "input": {"$unsetField": {"field": "batches", "input": "$$ROOT"}}}}
    batches = {"$reverseArray": {"$slice": ["$batches", -limit]}}
    moved: Pipeline = [
        {"$match": {"_id": {"$gt": {"s": key}, "$lt": {"s": key, "l": MaxKey()}}}},
        {"$sort": {"_id": -1}},
        {"$limit": limit},
        {"$project": {**MOVED, "l": "$_id.l"}},
    ]
    return [
        {"$match": {"_id": key, **of_scope(scope), **ALIVE}},
        {"$project": {"_id": 0, "rows": {"$concatArrays": [[{"head": own}], batches]}}},
        {"$unwind": "$rows"},
        {"$replaceRoot": {"newRoot": "$rows"}},
        {"$set": {"messages": {"$reverseArray": {"$slice": ["$messages", -limit]}}}},
        {"$unwind": {"path": "$messages", "includeArrayIndex": "n", "preserveNullAndEmptyArrays": True}},
        {"$project": {"head": 1, "q": {"$subtract": ["$last", "$n"]}, **_PENDING}},
        {"$unionWith": {"coll": collection, "pipeline": moved}},
        {"$limit": limit + 1},
    ]


def without_moved(pipeline: Pipeline) -> Pipeline:
    """The same with `moved` empty, and with all that tells whether a moved message was cut off or replaced."""
    found: Pipeline = [{"$set": {"moved": []}} if "$lookup" in stage else stage for stage in pipeline]
    last = found[-1].get("$project")
    return found if last is None else [*found[:-1], {"$project": {**last, "cuts": 1}}]


_HAS_NO_GAPS: Document = {"$eq": ["$message_count", {"$subtract": ["$last_seq", "$floor"]}]}
"""A session holds as many messages as it has seqs: then so many messages are so many seqs."""


def _low(wanted: MessageRange, before: Int64, limit: int) -> Document:
    """No message of the range is read up to this seq. Newest first it is exact if there are no gaps."""
    low: Document = {"$max": [Int64(wanted.after), "$floor"]}
    if wanted.newest_first:
        enough = {"$subtract": [{"$min": ["$last_seq", before - 1]}, limit]}
        low["$max"].append({"$cond": [_HAS_NO_GAPS, enough, Int64(0)]})
    return low


def _lowest_moved(wanted: MessageRange, before: Int64, limit: int) -> Document:
    """The lookup reads what comes after this seq."""
    low = _low(wanted, before, limit)
    if wanted.newest_first and wanted.before is None:  # the document itself holds enough
        return {"$cond": [{"$gte": ["$pending", limit]}, _ABOVE_ALL, low]}
    return low


def _parts(wanted: MessageRange, before: Int64, limit: int) -> Document:
    """Both parts of a log, cut to what is wanted, or a little more if there are gaps: no batch is empty."""
    batches = _cut_batches(wanted, before)
    if not wanted.newest_first:
        return {"batches": _sized(batches, {"$subtract": [limit, {"$size": "$moved"}]}, 1)}
    parts: Document = {"batches": _sized(batches, wanted.limit, -1)}
    if wanted.before is None:
        parts["moved"] = _sized("$moved", {"$subtract": [limit, "$pending"]}, 1)
    return parts


def _cut_batches(wanted: MessageRange, before: Int64) -> Document:
    """The batches of a range without the messages beside it."""
    high: Document = {"$min": ["$last_seq", before - 1]}
    if not wanted.newest_first:
        enough = {"$add": [{"$max": [Int64(wanted.after), "$floor"]}, wanted.limit]}
        high["$min"].append({"$cond": [_HAS_NO_GAPS, enough, _ABOVE_ALL]})
    # the server takes no count of 0
    inside = {
        "$and": [{"$gt": [each, "$$low"]} for each in ("$$b.last", "$$high")] + [{"$lte": ["$$b.first", "$$high"]}]
    }
    first: Document = {"$max": ["$$b.first", {"$add": ["$$low", 1]}]}
    count = {"$add": [{"$subtract": [{"$min": ["$$b.last", "$$high"]}, first]}, 1]}
    messages = {"$slice": ["$$b.messages", {"$subtract": [first, "$$b.first"]}, count]}
    batch = {"first": first, "at": "$$b.at", "messages": messages}
    found: Document = {"$filter": {"input": "$batches", "as": "b", "cond": inside}}
    cut: Document = {"$map": {"input": found, "as": "b", "in": batch}}
    return {"$let": {"vars": {"low": _low(wanted, before, wanted.limit), "high": high}, "in": cut}}


def _lookup(collection: str, variables: Document, pipeline: Pipeline) -> Document:
    return {"from": collection, "let": variables, "pipeline": pipeline, "as": "moved"}


def _id(key: str, seq: Any) -> Document:
    return {"s": literal(key), "l": "$$life", "q": seq}


def by_ids(key: str, scope: Scope, ids: Sequence[str], collection: str) -> Pipeline:
    """A living session with those of these messages that it holds."""
    fields = {"role": "$$m.role", "payload": "$$m.payload", "at": {"$ifNull": ["$$m.at", "$$this.at"]}}
    return [
        {"$match": {"_id": key, **of_scope(scope), **ALIVE}},
        _lookup_ids(key, ids, collection, MOVED),
        {"$set": {"pending": _hits(ids, fields)}},
        {"$project": {**HEAD, "moved": 1, "pending": 1}},
    ]


def _lookup_ids(key: str, ids: Sequence[str], collection: str, fields: Document) -> Document:
    match = {"_id.s": key, "id": {"$in": list(ids)}, "$expr": {"$eq": ["$_id.l", "$$life"]}}
    return {"$lookup": _lookup(collection, {"life": "$life"}, [{"$match": match}, {"$project": fields}])}


def head(key: str, ids: Sequence[str], collection: str) -> Pipeline:
    """A session, alive or not, with the shape of its batches and the server's time, but without payloads.

    `ids`: and which of these it holds, with their seqs, versions and content keys.
    """
    times: Document = {
        "$map": {
            "input": {"$ifNull": ["$$b.messages", []]},
            "as": "m",
            "in": {"$ifNull": ["$$m.at", "$$b.at"]},
        }
    }
    shape = {"first": "$$b.first", "last": "$$b.last", "times": times}
    found: Document = {"now": NOW, "shape": {"$map": {"input": "$batches", "as": "b", "in": shape}}}
    stages: Pipeline = [{"$match": {"_id": key}}]
    if ids:
        fields = {"_id": 0, "q": "$_id.q", "e": 1, "id": 1, "key": 1, "version": 1}
        # `moved` is a field of the session too, which the lookup must not replace
        lookup = _lookup_ids(key, ids, collection, fields)
        lookup["$lookup"]["as"] = "moved_hits"
        stages.append(lookup)
        found["pending_hits"] = _hits(ids, {"key": "$$m.key", "version": "$$this.version"})
    return [*stages, {"$set": found}, {"$unset": "batches"}]


def visible(life: Life, segments: Sequence[Segment], *, after: int, before: int | None = None) -> Document:
    """A filter for the messages of their own collection that a session holds: what is left over has another epoch."""
    admitted = [{"e": segment.epoch, "_id.q": {"$lte": Int64(segment.to)}} for segment in segments]
    return {"_id": life.seqs(after, before), "$or": admitted or [{"e": -1}]}
