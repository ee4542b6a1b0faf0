"""The requests that this adapter sends, as the server takes them.

A caller's text never stands where the server would read it as a field path or an operator: in an expression it is
wrapped by `literal`, in a filter it is compared with `$eq` or `$in`, or is a plain value under a name of ours (ISO-2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from agentkeep.records import MessageRange, Scope
from bson import Int64, ObjectId

from agentkeep_mongo.documents import Document, Life, Segment

Pipeline = list[Document]

NOW: Document = {"$multiply": [{"$toLong": "$$NOW"}, Int64(1000)]}
"""The server's clock in microseconds. `$$NOW` has milliseconds, and is one moment for the whole request."""

_LIVES: Document = {"$gt": ["$expires_at", NOW]}
_IS_FREE: Document = {"$not": [{"$gt": ["$hold.until", NOW]}]}
ALIVE: Document = {"$expr": _LIVES}
ALIVE_AND_FREE: Document = {"$expr": {"$and": [_LIVES, _IS_FREE]}}
"""No writer holds the session for itself (see `commit.py`)."""

_ABOVE_ALL = Int64(2**62)
_MOVES_SECONDS = 3
"""Then another mover may begin: what both insert is the same, and the first to complete wins."""
HOLD_SECONDS = 2

HEAD: Document = {"life": 1, "segments": 1, "staged_batches": 1}
"""What a reader must know of a session to judge its messages."""


def literal(value: Any) -> Document:
    return {"$literal": value}


def of_scope(scope: Scope) -> Document:
    return {} if scope.user_id is None else {"user_id": scope.user_id}


def after_now(seconds: float) -> Document:
    return {"$add": [NOW, Int64(int(seconds * 1_000_000))]}


# ---- reading


def _sized(expression: Any, count: Any, side: Literal[1, -1]) -> Document:
    """The first or last `count` of an array; `count` may be an expression, and 0 or less."""
    sliced = {"$slice": [expression, {"$multiply": [count, side]}]}
    return {"$cond": [{"$gt": [count, 0]}, sliced, []]}


def pending(batches: Any) -> Document:
    """The single messages of batches, in order, as `documents.message_record` reads them."""
    message = {
        "$let": {
            "vars": {"m": {"$arrayElemAt": ["$$this.messages", "$$n"]}},
            "in": {
                "q": {"$add": ["$$this.first", "$$n"]},
                "id": "$$m.id",
                "role": "$$m.role",
                "payload": "$$m.payload",
                "key": "$$m.key",
                "at": {"$ifNull": ["$$m.at", "$$this.at"]},
                "version": "$$this.version",
            },
        }
    }
    numbers = {"$range": [0, {"$size": {"$ifNull": ["$$this.messages", []]}}]}
    one = {"$map": {"input": numbers, "as": "n", "in": message}}
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
        {"$set": {"pending": _pending_with(ids)}},
        {"$project": {**HEAD, "moved": 1, "pending": 1}},
    ]


def _lookup_ids(key: str, ids: Sequence[str], collection: str, fields: Document) -> Document:
    match = {"_id.s": key, "id": {"$in": list(ids)}, "$expr": {"$eq": ["$_id.l", "$$life"]}}
    return {"$lookup": _lookup(collection, {"life": "$life"}, [{"$match": match}, {"$project": fields}])}


def _pending_with(ids: Sequence[str]) -> Document:
    return {"$filter": {"input": pending("$batches"), "as": "m", "cond": {"$in": ["$$m.id", literal(list(ids))]}}}


def head(key: str, ids: Sequence[str], collection: str) -> Pipeline:
    """A session, alive or not, with the shape of its batches and the server's time, but without payloads.

    `ids`: and which of these it holds, with their seqs, versions and content keys.
    """
    times = {
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
        found["pending_hits"] = _pending_with(ids)
    return [*stages, {"$set": found}, {"$unset": ["batches", "pending_hits.payload"]}]


def visible(life: Life, segments: Sequence[Segment], *, after: int, before: int | None = None) -> Document:
    """A filter for the messages of their own collection that a session holds: what is left over has another epoch."""
    admitted = [{"e": segment.epoch, "_id.q": {"$lte": Int64(segment.to)}} for segment in segments]
    return {"_id": life.seqs(after, before), "$or": admitted or [{"e": -1}]}


# ---- writing


def new_batch(
    entries: Sequence[Document] | ObjectId, count: int, size: int, *, first: Any, version: Any, at: Any
) -> Document:
    """A batch as the last one of a session; `entries` is an id if the messages were staged."""
    batch: Document = {
        "first": first,
        "last": {"$add": [first, count - 1]},
        "version": version,
        "at": at,
        "bytes": size,
    }
    if isinstance(entries, ObjectId):
        return batch | {"staged": entries}
    return batch | {"messages": literal(list(entries))}


EXPIRY: Document = {
    "$cond": [
        {"$gt": ["$idle_ttl", None]},
        {"$min": ["$ends_at", {"$add": ["$updated_at", "$idle_ttl"]}]},
        "$expires_at",
    ]
}
"""As `records.expiry`: `$min` leaves out what is absent."""

LATEST: Document = {"$set": {"updated_at": {"$max": ["$updated_at", NOW]}}}


def added(name: str, amount: int) -> Document:
    return {"$add": [f"${name}", amount]}


def append_batch(batch: Document, count: int, size: int, last_at: int | None) -> Pipeline:
    """The whole of a plain append: one update of one document."""
    return [
        LATEST,
        {
            "$set": {
                "batches": {"$concatArrays": ["$batches", [batch]]},
                "last_seq": added("last_seq", count),
                "message_count": added("message_count", count),
                "pending": added("pending", count),
                "pending_bytes": added("pending_bytes", size),
                "writes": added("writes", 1),
                "last_message_at": "$updated_at" if last_at is None else Int64(last_at),
                "expires_at": EXPIRY,
            }
        },
    ]


def keep_up_to(batches: Any, seq: int) -> Document:
    """Batches without the messages after a seq."""
    kept = {"$filter": {"input": batches, "as": "b", "cond": {"$lte": ["$$b.first", Int64(seq)]}}}
    count = {"$add": [{"$subtract": [{"$min": ["$$b.last", Int64(seq)]}, "$$b.first"]}, 1]}
    cut = {"last": {"$min": ["$$b.last", Int64(seq)]}, "messages": {"$slice": ["$$b.messages", count]}}
    return {"$map": {"input": kept, "as": "b", "in": {"$mergeObjects": ["$$b", cut]}}}


def keep_after(batches: Any, seq: int) -> Document:
    """Batches without the messages up to a seq. A staged batch stays whole: the mover leaves these messages out."""
    kept = {"$filter": {"input": batches, "as": "b", "cond": {"$gt": ["$$b.last", Int64(seq)]}}}
    first = {"$max": ["$$b.first", Int64(seq + 1)]}
    count = {"$add": [{"$subtract": ["$$b.last", first]}, 1]}
    cut = {"first": first, "messages": {"$slice": ["$$b.messages", {"$multiply": [-1, count]}]}}
    is_staged = {"$gt": ["$$b.staged", None]}
    return {
        "$map": {
            "input": kept,
            "as": "b",
            "in": {"$cond": [is_staged, "$$b", {"$mergeObjects": ["$$b", cut]}]},
        }
    }


def counted_batches(batches: Any) -> Document:
    """The fields that say what batches hold together."""
    one = {"$add": [{"$subtract": ["$$b.last", "$$b.first"]}, 1]}
    return {
        "batches": batches,
        "pending": {"$sum": {"$map": {"input": batches, "as": "b", "in": one}}},
        "pending_bytes": {"$sum": {"$map": {"input": batches, "as": "b", "in": "$$b.bytes"}}},
    }


def set_fields(values: Mapping[str, Any], expressions: Mapping[str, Any] | None = None) -> Pipeline:
    """An update to exactly these values; those that are None are removed."""
    kept = {name: literal(value) for name, value in values.items() if value is not None}
    absent = [name for name, value in values.items() if value is None]
    stages: Pipeline = [{"$set": {**kept, **(expressions or {})}}]
    return [*stages, {"$unset": absent}] if absent else stages


def hold(by: ObjectId) -> Pipeline:
    return [{"$set": {"hold": {"by": by, "until": after_now(HOLD_SECONDS)}, "writes": added("writes", 1)}}]


def claim_move(by: ObjectId, *, keep: int) -> Pipeline:
    """All batches but the newest `keep` are about to be moved. Other writers see it, as `writes` grows."""
    upto = {"$arrayElemAt": ["$batches.last", {"$subtract": [{"$size": "$batches"}, keep + 1]}]}
    move = {"by": by, "until": after_now(_MOVES_SECONDS), "upto": upto, "reach": {"$max": ["$move.reach", upto]}}
    return [{"$set": {"move": move, "writes": added("writes", 1)}}]


def not_moving(but: ObjectId) -> Document:
    return {"$expr": {"$or": [{"$eq": ["$move.by", but]}, {"$not": [{"$gt": ["$move.until", NOW]}]}]}}


def complete_move(upto: int, segments: Sequence[Segment]) -> Pipeline:
    left = {"$filter": {"input": "$batches", "as": "b", "cond": {"$gt": ["$$b.last", Int64(upto)]}}}
    staged = {"$size": {"$filter": {"input": left, "as": "b", "cond": {"$gt": ["$$b.staged", None]}}}}
    return [
        {
            "$set": {
                **counted_batches(left),
                "moved": Int64(upto),
                "segments": literal([segment_list(each) for each in segments]),
                "staged_batches": staged,
                "writes": added("writes", 1),
            }
        },
        {"$unset": "move"},
    ]


def segment_list(segment: Segment) -> list[int]:
    return [segment.epoch, Int64(segment.to)]
