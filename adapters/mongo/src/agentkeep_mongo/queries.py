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


def _sized(expression: Any, count: Any, side: Literal[1, -1]) -> Document:
    """The first or last `count` of an array; `count` may be an expression, and 0 or less."""
    sliced = {"$slice": [expression, {"$multiply": [count, side]}]}
    return {"$cond": [{"$gt": [count, 0]}, sliced, []]}


def pending(batches: Any, *, for_writers: bool = False) -> Document:
    """The single messages of batches, in order: as `documents.message_record` reads them, or what a writer compares."""
    if for_writers:
        others = {"key": "$$m.key", "version": "$$this.version"}
    else:
        others = {"role": "$$m.role", "payload": "$$m.payload"}
    message = {
        "$let": {
            "vars": {"m": {"$arrayElemAt": ["$$this.messages", "$$n"]}},
            "in": {
                "q": {"$add": ["$$this.first", "$$n"]},
                "id": "$$m.id",
                "at": {"$ifNull": ["$$m.at", "$$this.at"]},
                **others,
            },
        }
    }
    numbers: Document = {"$range": [0, {"$size": {"$ifNull": ["$$this.messages", []]}}]}
    one: Document = {"$map": {"input": numbers, "as": "n", "in": message}}
    return {"$reduce": {"input": batches, "initialValue": [], "in": {"$concatArrays": ["$$value", one]}}}


def window(key: str, scope: Scope, wanted: MessageRange, collection: str, *, extra: int, whole: bool) -> Pipeline:
    """A living session with its messages of a range: `moved` of their own collection, `pending` of its document.

    `extra`: how many more documents to read, because some may be leftovers. `whole`: with the session's own fields.
    """
    side: Literal[1, -1] = -1 if wanted.newest_first else 1
    before = _ABOVE_ALL if wanted.before is None else Int64(wanted.before)
    limit = wanted.limit + extra
    low: Document = {"$max": [Int64(wanted.after), "$floor"]}
    if wanted.newest_first and wanted.before is None:  # the document itself holds enough
        low = {"$cond": [{"$gte": ["$pending", limit]}, _ABOVE_ALL, low]}
    of_range: Pipeline = [
        {"$match": {"$expr": {"$and": [{"$gt": ["$_id", _id(key, "$$low")]}, {"$lt": ["$_id", _id(key, before)]}]}}},
        {"$sort": {"_id": side}},
        {"$limit": limit},
        {"$project": {"_id": 0, "q": "$_id.q", "e": 1, "id": 1, "role": 1, "payload": 1, "at": 1}},
    ]
    return [
        {"$match": {"_id": key, **of_scope(scope), **ALIVE}},
        {"$lookup": _lookup(collection, {"life": "$life", "low": low}, of_range)},
        {"$set": {"pending": _pending_of(wanted, before, side)}},
        {"$set": _cut_to(limit, newest_first=wanted.newest_first)},
        {"$unset": ["batches", "labels"]} if whole else {"$project": {**HEAD, "moved": 1, "pending": 1}},
    ]


def _lookup(collection: str, variables: Document, pipeline: Pipeline) -> Document:
    return {"from": collection, "let": variables, "pipeline": pipeline, "as": "moved"}


def _id(key: str, seq: Any) -> Document:
    return {"s": literal(key), "l": "$$life", "q": seq}


def _pending_of(wanted: MessageRange, before: int, side: Literal[1, -1]) -> Document:
    after = Int64(wanted.after)
    batches = {
        "$filter": {
            "input": "$batches",
            "as": "b",
            "cond": {"$and": [{"$gt": ["$$b.last", after]}, {"$lt": ["$$b.first", before]}]},
        }
    }
    inside = {"$and": [{"$gt": ["$$m.q", after]}, {"$lt": ["$$m.q", before]}]}
    # no batch is empty, so `limit` batches are enough
    messages = pending(_sized(batches, wanted.limit, side))
    return _sized({"$filter": {"input": messages, "as": "m", "cond": inside}}, wanted.limit, side)


def _cut_to(limit: int, *, newest_first: bool) -> Document:
    """Of the two parts of a log no more than are wanted together: the pending ones are the newest."""
    if newest_first:
        return {"moved": _sized("$moved", {"$subtract": [limit, {"$size": "$pending"}]}, 1)}
    return {"pending": _sized("$pending", {"$subtract": [limit, {"$size": "$moved"}]}, 1)}


def by_ids(key: str, scope: Scope, ids: Sequence[str], collection: str) -> Pipeline:
    """A living session with those of these messages that it holds."""
    return [
        {"$match": {"_id": key, **of_scope(scope), **ALIVE}},
        _lookup_ids(key, ids, collection, {"_id": 0, "q": "$_id.q", "e": 1, "id": 1, "role": 1, "payload": 1, "at": 1}),
        {"$set": {"pending": _pending_with(ids, for_writers=False)}},
        {"$project": {**HEAD, "moved": 1, "pending": 1}},
    ]


def _lookup_ids(key: str, ids: Sequence[str], collection: str, fields: Document) -> Document:
    match = {"_id.s": key, "id": {"$in": list(ids)}, "$expr": {"$eq": ["$_id.l", "$$life"]}}
    return {"$lookup": _lookup(collection, {"life": "$life"}, [{"$match": match}, {"$project": fields}])}


def _pending_with(ids: Sequence[str], *, for_writers: bool) -> Document:
    messages = pending("$batches", for_writers=for_writers)
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
        found["pending_hits"] = _pending_with(ids, for_writers=True)
    return [*stages, {"$set": found}, {"$unset": "batches"}]


def visible(life: Life, segments: Sequence[Segment], *, after: int, before: int | None = None) -> Document:
    """A filter for the messages of their own collection that a session holds: what is left over has another epoch."""
    admitted = [{"e": segment.epoch, "_id.q": {"$lte": Int64(segment.to)}} for segment in segments]
    return {"_id": life.seqs(after, before), "$or": admitted or [{"e": -1}]}
