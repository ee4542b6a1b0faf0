"""The requests that this adapter sends, as the server takes them.

A caller's text never stands where the server would read it as a field path or an operator: in an expression it is
wrapped by `literal`, in a filter it is compared with `$eq` or `$in`, or is a plain value under a name of ours (ISO-2).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from agentkeep.records import Scope, SessionRecord
from bson import Int64, ObjectId

from agentkeep_mongo.documents import Document, Segment, time_of

Pipeline = list[Document]

NOW: Document = {"$multiply": [{"$toLong": "$$NOW"}, Int64(1000)]}
"""The server's clock in microseconds. `$$NOW` has milliseconds, and is one moment for the whole request."""

_LIVES: Document = {"$gt": ["$expires_at", NOW]}
_IS_FREE: Document = {"$not": [{"$gt": ["$hold.until", NOW]}]}
ALIVE: Document = {"$expr": _LIVES}

_RESERVE_MICROS, _RESERVE_PART = 50_000, 10
"""A write that moves the expiry is refused in the last 50 ms, or the last tenth of a shorter life."""
_RESERVE: Document = {
    "$min": [_RESERVE_MICROS, {"$divide": [{"$subtract": ["$expires_at", "$updated_at"]}, _RESERVE_PART]}]
}


def reserve_of(expires_at: int, updated_at: int) -> int:
    """The microseconds at the end of a life in which nothing lengthens it."""
    return min(_RESERVE_MICROS, (expires_at - updated_at) // _RESERVE_PART)


def _lives_beyond(milliseconds: int) -> Document:
    return {"$gt": ["$expires_at", {"$add": [NOW, Int64(milliseconds * 1000), _RESERVE]}]}


def lives_beyond(milliseconds: int) -> Document:
    """For a write that moves the expiry, sent with this number as its `maxTimeMS`: so much of the life must be left.

    `$$NOW` is the start of the request, but the write may wait in the server for a lock until readers have seen the
    session as expired, and would bring it back (TTL-1). So the server ends it before that: a wait for a lock can be
    interrupted (seen on 6.0.5). The reserve is for what the server does after it last looked at the time.
    """
    return {"$expr": _lives_beyond(milliseconds)}


def may_append(milliseconds: int) -> Document:
    """The same for an append, which moves the expiry if there is an idle time.

    And no writer holds the session for itself (see `commit.py`).
    """
    lives = {"$cond": [{"$gt": ["$idle_ttl", None]}, _lives_beyond(milliseconds), _LIVES]}
    return {"$expr": {"$and": [lives, _IS_FREE]}}


_MOVES_SECONDS = 3
"""Then another mover may begin: what both insert is the same, and the first to complete wins."""
HOLD_SECONDS = 2
_CALL_SECONDS = 600
"""Longer than any call takes."""


def literal(value: Any) -> Document:
    return {"$literal": value}


def of_scope(scope: Scope) -> Document:
    return {} if scope.user_id is None else {"user_id": scope.user_id}


def after_now(seconds: float) -> Document:
    return {"$add": [NOW, Int64(int(seconds * 1_000_000))]}


def new_batch(stored: Document, count: int, size: int, *, first: Any, version: Any, at: Any) -> Document:
    """A batch as the last one of a session; `stored`: what does not depend on the session."""
    return {
        "first": first,
        "last": {"$add": [first, count - 1]},
        "version": version,
        "at": at,
        "bytes": size,
        **{name: literal(value) for name, value in stored.items()},
    }


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


BEGINNING = time_of(0)
"""The moment of a session that is to be made: the server adds its own time (see `new_document`)."""


def new_document(document: Document, relative: Collection[str]) -> Pipeline:
    """An upsert of a session that begins now. Its `relative` times, and those of its batches, count from now."""
    fields: Document = {name: literal(value) for name, value in document.items() if name not in ("_id", "life")}
    fields |= {name: {"$add": [NOW, document[name]]} for name in relative if name in document}
    fields["batches"] = [
        {name: NOW if name == "at" else literal(value) for name, value in batch.items()}
        for batch in document["batches"]
    ]
    return [{"$set": fields}]


def relative_times(record: SessionRecord, *, last_message: bool) -> list[str]:
    """The times of a record that was made at `BEGINNING`. `last_message`: that one's too."""
    names = ["created_at", "updated_at", "completed_at", "ends_at"]
    names += ["expires_at"] if record.expires_at is not None else []
    return [*names, *(["last_message_at"] if last_message else [])]


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


WAS_MOVING: Document = {"$gt": ["$move.until", after_now(-_CALL_SECONDS)]}
"""A mover began so lately that it may still be at work."""


def unsettled(batches: Any, *, edits: Any = "$edits") -> Document:
    """How much a reader has to settle first: staged batches, replaced messages that were moved before, a new user."""
    staged = {"$filter": {"input": batches, "as": "b", "cond": {"$gt": ["$$b.staged", None]}}}
    return {"$add": [{"$size": staged}, {"$size": {"$ifNull": [edits, []]}}, {"$cond": ["$retag", 1, 0]}]}


def applied_edits() -> Pipeline:
    """The replaced messages stand where they were moved to."""
    return [{"$set": {"unsettled": unsettled("$batches", edits=[])}}, {"$unset": "edits"}]


def retagged() -> Pipeline:
    """The search entries have the session's user."""
    return [{"$unset": "retag"}, {"$set": {"unsettled": unsettled("$batches")}}]


def complete_move(upto: int, segments: Sequence[Segment], drawn: str | None) -> Pipeline:
    """`drawn`: the latest id of a batch that is moved whose ids core drew."""
    left = {"$filter": {"input": "$batches", "as": "b", "cond": {"$gt": ["$$b.last", Int64(upto)]}}}
    return [
        {
            "$set": {
                **counted_batches(left),
                "moved": Int64(upto),
                "segments": literal([segment_list(each) for each in segments]),
                "moved_drawn": {"$max": ["$moved_drawn", literal(drawn)]},
                "unsettled": unsettled(left),
                "writes": added("writes", 1),
            }
        },
        {"$set": {"move": {"$cond": [{"$gt": ["$move.reach", Int64(upto)]}, _ENDED_MOVE, "$$REMOVE"]}}},
    ]


_ENDED_MOVE: Document = {"$mergeObjects": ["$move", {"until": Int64(0)}]}
"""It stays if another mover claimed more before: what that one inserts must not be admitted after a cut."""

UNLESS_EARLIER: Pipeline = [{"$replaceWith": {"$cond": [{"$lt": ["$e", "$$new.e"]}, "$$new", "$$ROOT"]}}]
"""For `$merge`: what stands there stays, unless it is of an earlier epoch."""


def segment_list(segment: Segment) -> list[int]:
    return [segment.epoch, Int64(segment.to)]
