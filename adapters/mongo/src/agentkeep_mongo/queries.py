"""The requests that read a log, as the server takes them (see `statements.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from agentkeep.records import MessageRange, Scope
from bson import Int64

from agentkeep_mongo.documents import Document, Life, Segment
from agentkeep_mongo.statements import ALIVE, NOW, Pipeline, literal, of_scope

_ABOVE_ALL = Int64(2**62)

HEAD: Document = {"life": 1, "segments": 1, "unsettled": 1}
"""What a reader must know of a session to judge its messages."""
_READ: Document = {"first": 1, "at": 1, "messages": {"id": 1, "role": 1, "payload": 1, "at": 1}}
"""What a reader needs of a batch."""
_NOT_READ = ["labels", "batches.messages.text", "batches.messages.key"]


def _sized(expression: Any, count: Any, side: Literal[1, -1]) -> Document:
    """The first or last `count` of an array; `count` may be an expression, and 0 or less."""
    sliced = {"$slice": [expression, {"$multiply": [count, side]}]}
    return {"$cond": [{"$gt": [count, 0]}, sliced, []]}


def pending_keys(batches: Any) -> Document:
    """The single messages of batches, as a writer compares them."""
    message = {
        "$let": {
            "vars": {"m": {"$arrayElemAt": ["$$this.messages", "$$n"]}},
            "in": {
                "q": {"$add": ["$$this.first", "$$n"]},
                "id": "$$m.id",
                "key": "$$m.key",
                "version": "$$this.version",
            },
        }
    }
    numbers: Document = {"$range": [0, {"$size": "$$this.messages"}]}
    one: Document = {"$map": {"input": numbers, "as": "n", "in": message}}
    return {"$reduce": {"input": batches, "initialValue": [], "in": {"$concatArrays": ["$$value", one]}}}


def window(key: str, scope: Scope, wanted: MessageRange, collection: str, *, extra: int, whole: bool) -> Pipeline:
    """A living session with its messages of a range: `moved` of their own collection, and the `batches` that hold some.

    `extra`: how many more documents to read, because some may be leftovers. `whole`: with the session's own fields.
    """
    side: Literal[1, -1] = -1 if wanted.newest_first else 1
    before = _ABOVE_ALL if wanted.before is None else Int64(wanted.before)
    limit = wanted.limit + extra
    of_range: Pipeline = [
        {"$match": {"$expr": {"$and": [{"$gt": ["$_id", _id(key, "$$low")]}, {"$lt": ["$_id", _id(key, before)]}]}}},
        {"$sort": {"_id": side}},
        {"$limit": limit},
        {"$project": {"_id": 0, "q": "$_id.q", "e": 1, "id": 1, "role": 1, "payload": 1, "at": 1}},
    ]
    return [
        {"$match": {"_id": key, **of_scope(scope), **ALIVE}},
        {"$lookup": _lookup(collection, {"life": "$life", "low": _low(wanted, before, limit)}, of_range)},
        {"$set": _parts(wanted, before, limit)},
        {"$unset": _NOT_READ} if whole else {"$project": {**HEAD, "moved": 1, "batches": _READ}},
    ]


def _low(wanted: MessageRange, before: Int64, limit: int) -> Document:
    """The lookup reads what comes after this seq."""
    low: Document = {"$max": [Int64(wanted.after), "$floor"]}
    if not wanted.newest_first:
        return low
    # as many messages as seqs: then there are no gaps, and so many seqs are enough
    has_no_gaps = {"$eq": ["$message_count", {"$subtract": ["$last_seq", "$floor"]}]}
    enough = {"$subtract": [{"$min": ["$last_seq", before - 1]}, limit]}
    low["$max"].append({"$cond": [has_no_gaps, enough, Int64(0)]})
    if wanted.before is None:  # the document itself holds enough
        low = {"$cond": [{"$gte": ["$pending", limit]}, _ABOVE_ALL, low]}
    return low


def _parts(wanted: MessageRange, before: Int64, limit: int) -> Document:
    """Both parts of a log, cut to about what is wanted: the batches hold the newest messages, and no batch is empty."""
    inside = {"$and": [{"$gt": ["$$b.last", Int64(wanted.after)]}, {"$lt": ["$$b.first", before]}]}
    batches: Any = "$batches"
    if wanted.after or wanted.before is not None:
        batches = {"$filter": {"input": batches, "as": "b", "cond": inside}}
    if not wanted.newest_first:
        return {"batches": _sized(batches, {"$subtract": [limit, {"$size": "$moved"}]}, 1)}
    parts: Document = {"batches": _sized(batches, wanted.limit, -1)}
    if wanted.before is None:
        parts["moved"] = _sized("$moved", {"$subtract": [limit, "$pending"]}, 1)
    return parts


def _lookup(collection: str, variables: Document, pipeline: Pipeline) -> Document:
    return {"from": collection, "let": variables, "pipeline": pipeline, "as": "moved"}


def _id(key: str, seq: Any) -> Document:
    return {"s": literal(key), "l": "$$life", "q": seq}


def by_ids(key: str, scope: Scope, ids: Sequence[str], collection: str) -> Pipeline:
    """A living session with those of these messages that it holds."""
    return [
        {"$match": {"_id": key, **of_scope(scope), **ALIVE}},
        _lookup_ids(key, ids, collection, {"_id": 0, "q": "$_id.q", "e": 1, "id": 1, "role": 1, "payload": 1, "at": 1}),
        {"$set": {"batches": _batches_with(ids)}},
        {"$project": {**HEAD, "moved": 1, "batches": _READ}},
    ]


def _lookup_ids(key: str, ids: Sequence[str], collection: str, fields: Document) -> Document:
    match = {"_id.s": key, "id": {"$in": list(ids)}, "$expr": {"$eq": ["$_id.l", "$$life"]}}
    return {"$lookup": _lookup(collection, {"life": "$life"}, [{"$match": match}, {"$project": fields}])}


def _batches_with(ids: Sequence[str]) -> Document:
    """The batches that hold some of these messages. A staged one holds none."""
    some: Document = {"$setIntersection": [{"$ifNull": ["$$b.messages.id", []]}, literal(list(ids))]}
    return {"$filter": {"input": "$batches", "as": "b", "cond": {"$gt": [{"$size": some}, 0]}}}


def _pending_hits(ids: Sequence[str]) -> Document:
    messages = pending_keys(_batches_with(ids))
    return {"$filter": {"input": messages, "as": "m", "cond": {"$in": ["$$m.id", literal(list(ids))]}}}


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
        found["pending_hits"] = _pending_hits(ids)
    return [*stages, {"$set": found}, {"$unset": "batches"}]


def visible(life: Life, segments: Sequence[Segment], *, after: int, before: int | None = None) -> Document:
    """A filter for the messages of their own collection that a session holds: what is left over has another epoch."""
    admitted = [{"e": segment.epoch, "_id.q": {"$lte": Int64(segment.to)}} for segment in segments]
    return {"_id": life.seqs(after, before), "$or": admitted or [{"e": -1}]}
