"""Searching: entries of an index lead to few texts, which are then compared word for word (SRCH-1)."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest

from agentkeep.errors import PersistenceError, SessionNotFound
from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep.spi.decode import decode, message_name
from bson import Int64

from agentkeep_mongo import statements
from agentkeep_mongo.client import Client
from agentkeep_mongo.concerns import Collections, Document
from agentkeep_mongo.documents import Life, message_record, session_key
from agentkeep_mongo.moving import Mover
from agentkeep_mongo.terms import entry_filter, part_of

_CANDIDATES = 1_000
"""The best hits are the best of so many, so that a common word costs no more in a large database."""
_MOVED_FIRST = 16
"""Sessions with messages that the index does not hold yet: so many are moved before a search, the others are read."""


async def search(client: Client, mover: Mover, scope: Scope, query: SearchQuery) -> list[HitRecord]:
    if query.session_id is not None:
        await _check_session(client, scope, query.session_id)
    users = {scope.user_id, query.user_id} - {None}
    if len(users) > 1:
        return []  # no session is two users'
    user = next(iter(users), None)
    sessions = _sessions(scope, query, user)
    await _move_some(client, mover, sessions)
    found = [*await client.read_seen(lambda to: _pending_hits(to, sessions, query))]
    found += await client.read_seen(lambda to: _moved_hits(to, scope, query, user, sessions))
    by_place = {(each["id"], each["q"], each["session"]): each for each in found}
    best = nlargest(query.limit, by_place.values(), key=lambda each: (each["score"], each["at"]))
    return [_hit(each) for each in best]


def _hit(found: Document) -> HitRecord:
    record = decode(found, message_record, lambda each: message_name(each["session"], each.get("id")))
    return HitRecord(found["session"], record, float(found["score"]))


async def _check_session(client: Client, scope: Scope, session_id: str) -> None:
    wanted = {"_id": session_key(scope.tenant, session_id), **statements.of_scope(scope), **statements.ALIVE}
    if await client.read_seen(lambda to: to.seen.find_one(wanted, {"_id": 1})) is None:
        raise SessionNotFound(session_id)


def _sessions(scope: Scope, query: SearchQuery, user: str | None) -> Document:
    """A filter for the living sessions that a search may look into."""
    wanted: Document = {"tenant": scope.tenant, **statements.ALIVE}
    if user is not None:
        wanted["user_id"] = user
    if query.agent_name is not None:
        wanted["agent_name"] = query.agent_name
    if query.session_id is not None:
        wanted["_id"] = session_key(scope.tenant, query.session_id)
    return wanted


async def _move_some(client: Client, mover: Mover, sessions: Document) -> None:
    """Upkeep in bounded steps: what is moved is in the index for all later searches."""
    unsettled = {**sessions, "unsettled": {"$gt": 0}}
    found = await client.read(lambda to: to.sessions.find(unsettled, {"life": 1}).limit(_MOVED_FIRST).to_list())
    for each in found:
        await mover.settle(Life(each["_id"], each["life"]))
    wanted = {**sessions, "pending": {"$gt": 0}}
    found = await client.read(lambda to: to.sessions.find(wanted, {"life": 1}).limit(_MOVED_FIRST).to_list())
    for each in found:
        try:
            await mover.move(Life(each["_id"], each["life"]))
        except PersistenceError:
            return


def _score(text: str, words: Sequence[str]) -> Document:
    """How often the words occur."""
    counts = [{"$subtract": [{"$size": {"$split": [text, statements.literal(word)]}}, 1]} for word in words]
    return {"$add": counts}


def _contains(text: str, words: Sequence[str]) -> Document:
    return {"$and": [{"$gte": [{"$indexOfBytes": [text, statements.literal(word)]}, 0]} for word in words]}


async def _pending_hits(to: Collections, sessions: Document, query: SearchQuery) -> list[Document]:
    """Among the messages that stand in their sessions' documents."""
    matches: list[Document] = [_contains("$text", query.words)]
    if query.role is not None:
        matches.append({"$eq": ["$role", statements.literal(query.role)]})
    pipeline = [
        {"$match": {**sessions, "pending": {"$gt": 0}, "batches.messages.text": {"$regex": part_of(query.words[0])}}},
        {"$project": {"session": "$id", "batches": 1}},
        {"$unwind": "$batches"},
        {"$unwind": {"path": "$batches.messages", "includeArrayIndex": "n"}},
        {"$replaceWith": {"$mergeObjects": ["$batches.messages", _place_of_pending()]}},
        {"$match": {"$expr": {"$and": matches}}},
        {"$limit": max(_CANDIDATES, query.limit)},
        {"$set": {"score": _score("$text", query.words)}},
        {"$unset": ["text", "key"]},
    ]
    return await (await to.seen.aggregate(pipeline)).to_list()


def _place_of_pending() -> Document:
    return {
        "session": "$session",
        "q": {"$add": ["$batches.first", "$n"]},
        "at": {"$ifNull": ["$batches.messages.at", "$batches.at"]},
    }


async def _moved_hits(
    to: Collections, scope: Scope, query: SearchQuery, user: str | None, sessions: Document
) -> list[Document]:
    """Among the entries of the index. A text of several documents is put together before it is compared."""
    wanted: Document = {"tenant": scope.tenant, **entry_filter(query.words[0])}
    if user is not None:
        wanted["user"] = user
    if query.session_id is not None:
        key = session_key(scope.tenant, query.session_id)
        wanted["_id"] = {"$gte": {"s": key}, "$lt": {"s": key + "\x01"}}
    if query.role is not None:
        wanted["role"] = query.role
    pipeline: list[Document] = [
        {"$match": wanted},
        {"$match": {"$expr": {"$or": [{"$gt": ["$of", 1]}, _contains("$text", query.words)]}}},
        {"$project": {"terms": 0}},
        {"$lookup": _whole_text(to.search.name)},
        {"$set": {"text": _joined_text()}},
        {"$match": {"$expr": _contains("$text", query.words)}},
        {"$lookup": _living_session(to.sessions.name, sessions)},
        {"$match": {"of_session": {"$ne": []}}},
        {"$lookup": _message(to.messages.name)},
        {"$match": {"message": {"$ne": []}}},
        {"$limit": max(_CANDIDATES, query.limit)},
        {"$project": _hit_fields(query.words)},
    ]
    return await (await to.seen_search.aggregate(pipeline)).to_list()


def _whole_text(collection: str) -> Document:
    same = {"$and": [{"$gte": ["$_id", "$$low"]}, {"$lt": ["$_id", "$$high"]}, {"$eq": ["$key", "$$key"]}]}
    place = {"s": "$_id.s", "l": "$_id.l"}
    # a text of one document is not read again
    high = {"$cond": [{"$gt": ["$of", 1]}, {**place, "q": {"$add": ["$_id.q", Int64(1)]}}, {**place, "q": "$_id.q"}]}
    return {
        "from": collection,
        "let": {"low": {**place, "q": "$_id.q"}, "high": high, "key": "$key"},
        "pipeline": [{"$match": {"$expr": same}}, {"$sort": {"_id": 1}}, {"$project": {"text": 1}}],
        "as": "parts",
    }


def _joined_text() -> Document:
    joined = {"$reduce": {"input": "$parts.text", "initialValue": "", "in": {"$concat": ["$$value", "$$this"]}}}
    return {"$cond": [{"$gt": ["$of", 1]}, joined, "$text"]}


def _living_session(collection: str, sessions: Document) -> Document:
    """The session of an entry, if it admits the entry's message."""
    admitted = {
        "$anyElementTrue": {
            "$map": {
                "input": "$segments",
                "as": "segment",
                "in": {
                    "$and": [
                        {"$eq": [{"$arrayElemAt": ["$$segment", 0]}, "$$epoch"]},
                        {"$gte": [{"$arrayElemAt": ["$$segment", 1]}, "$$seq"]},
                    ]
                },
            }
        }
    }
    is_its = [{"$eq": ["$_id", "$$key"]}, {"$eq": ["$life", "$$life"]}, {"$lt": ["$floor", "$$seq"]}, admitted]
    others = {name: value for name, value in sessions.items() if name not in ("$expr", "_id")}
    match = {**others, "$expr": {"$and": [*is_its, statements.ALIVE["$expr"]]}}
    return {
        "from": collection,
        "let": {"key": "$_id.s", "life": "$_id.l", "seq": "$_id.q", "epoch": "$e"},
        "pipeline": [{"$match": match}, {"$project": {"id": 1}}],
        "as": "of_session",
    }


def _message(collection: str) -> Document:
    """The message of an entry, if it still has the content that the entry was made of."""
    is_it = {"$and": [{"$eq": ["$_id", "$$place"]}, {"$eq": ["$key", "$$content"]}]}
    return {
        "from": collection,
        "let": {"place": {"s": "$_id.s", "l": "$_id.l", "q": "$_id.q"}, "content": "$key"},
        "pipeline": [{"$match": {"$expr": is_it}}],
        "as": "message",
    }


def _hit_fields(words: Sequence[str]) -> Document:
    message = {name: {"$first": f"$message.{name}"} for name in ("id", "role", "payload", "at")}
    return {
        "_id": 0,
        "session": {"$first": "$of_session.id"},
        "q": "$_id.q",
        "score": _score("$text", words),
        **message,
    }
