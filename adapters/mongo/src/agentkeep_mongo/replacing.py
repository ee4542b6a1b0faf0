"""Replacing one message, wherever it stands (redaction).

A message that was moved is replaced in two steps. One update of the session's document is the commit: it sets
`updated_at` and says in `edits` what the message is now. Then the edit is applied to the message and to its search
entries. A reader that meets an edit applies it first; applying it twice changes nothing.

A long message would not fit into the session's document (16 MiB). So it is staged, and the edit names it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from bson import Int64
from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError

from agentkeep_mongo import statements
from agentkeep_mongo.client import Client
from agentkeep_mongo.concerns import Collection, Document
from agentkeep_mongo.documents import Life
from agentkeep_mongo.errors import duplicates
from agentkeep_mongo.terms import search_documents


def replaced_in(batches: str, message_id: str, new: Document, size: int) -> Document:
    """An expression: the batches with another content of one message. Its batch grows by `size` at most."""
    is_it = {"$eq": ["$$m.id", statements.literal(message_id)]}
    one = {"$cond": [is_it, {"$mergeObjects": ["$$m", statements.literal(new)]}, "$$m"]}
    messages: Document = {"$map": {"input": {"$ifNull": ["$$b.messages", []]}, "as": "m", "in": one}}
    is_in_it: Document = {"$in": [statements.literal(message_id), {"$ifNull": ["$$b.messages.id", []]}]}
    changed: Document = {"messages": messages, "bytes": {"$add": ["$$b.bytes", {"$cond": [is_in_it, size, 0]}]}}
    return {"$map": {"input": batches, "as": "b", "in": {"$mergeObjects": ["$$b", changed]}}}


async def apply_edits(client: Client, life: Life, session: Document) -> None:
    """Bring what was moved up to date. `n` orders the edits, so one that comes late does nothing."""
    for edit in session["edits"]:
        await _apply(client, life, session, edit)
    same = {"_id": life.key, "life": life.id, "edits": session["edits"]}
    await client.read(lambda to: to.sessions.update_one(same, statements.applied_edits()))


async def _apply(client: Client, life: Life, session: Document, edit: Document) -> None:
    new = await _content_of(client, life, edit)
    if new is None:  # somebody else has applied it
        return
    place, number = life.at(Int64(edit["q"])), edit["n"]
    fields = {"n": number, **{name: new[name] for name in ("role", "payload", "key")}}
    earlier = {"_id": place, "n": {"$not": {"$gt": number}}}
    message = await client.read(lambda to: to.messages.find_one_and_update(earlier, {"$set": fields}))
    if message is None:  # it was cut off, or replaced again
        return
    entries = _entries_of({**message, **fields}, new, session)
    await client.read(lambda to: insert_missing(to.search, entries))
    stale = {"_id": {"$gte": place, "$lt": {**place, "n": number}}}
    await client.read(lambda to: to.search.delete_many(stale))


async def _content_of(client: Client, life: Life, edit: Document) -> Document | None:
    """What the message is now. None: what was staged for it is gone."""
    if "staged" not in edit:
        return edit
    staged = Life(life.key, edit["staged"])
    entries = {"_id": staged.everything()}
    found = await client.read(lambda to: to.search.find(entries).to_list())
    # read last and removed first: if the message is there, so were all its entries
    message = await client.read(lambda to: to.messages.find_one({"_id": staged.at(Int64(0))}))
    return None if message is None else {**message, "entries": found}


def _entries_of(message: Document, new: Document, session: Document) -> list[Document]:
    """The search entries of an edited message. Those of a long text take seconds to make, so staged ones are copied."""
    user = session.get("user_id")
    if "entries" not in new:
        return search_documents(message, new["text"], session["tenant"], user)
    place = {**message["_id"], "n": message["n"]}
    return [
        {**each, "_id": {**place, "c": each["_id"]["c"]}, "e": message["e"], "user": user} for each in new["entries"]
    ]


async def insert_missing(collection: Collection, documents: Sequence[Document]) -> None:
    """Insert what is not there yet. What an earlier epoch left in its place is replaced: no session admits it."""
    if not documents:
        return
    there = await _duplicates(collection.insert_many(list(documents), ordered=False))
    later = [documents[number] for number in there if documents[number]["e"]]
    if later:
        # an upsert, because the mover that left it there may remove it meanwhile
        replaced = [ReplaceOne({"_id": each["_id"], "e": {"$lt": each["e"]}}, each, upsert=True) for each in later]
        await _duplicates(collection.bulk_write(replaced, ordered=False))


async def _duplicates(write: Awaitable[object]) -> list[int]:
    """Which documents of a bulk write were there already."""
    try:
        await write
    except BulkWriteError as error:
        found = duplicates(error)
        if found is None:
            raise
        return found
    return []
