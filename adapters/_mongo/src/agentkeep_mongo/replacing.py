"""Replacing one message, wherever it stands (redaction)."""

from __future__ import annotations

import msgspec
from agentkeep.errors import MessageNotFound
from agentkeep.records import MessageDraft, MessageRecord, Scope

from agentkeep_mongo import statements
from agentkeep_mongo.client import Collections, Document
from agentkeep_mongo.commit import Change, Commits, State, Stored
from agentkeep_mongo.documents import time_of
from agentkeep_mongo.reading import Reading
from agentkeep_mongo.terms import search_documents


async def replace_message(
    commits: Commits, reading: Reading, scope: Scope, session_id: str, draft: MessageDraft, expected: str
) -> MessageRecord | None:
    """Raises `SessionNotFound`, `MessageNotFound`."""
    new = {
        "role": draft.role,
        "payload": draft.payload,
        "key": draft.content_key,
        "text": draft.search_text,
    }

    async def attempt(state: State | None) -> bool | None:
        state = commits.living(scope, session_id, state)
        stored = state.stored()
        if not stored:
            raise MessageNotFound(session_id, draft.id)
        if stored[0].key != expected:
            return False
        if not state.document["pending_hits"]:
            if not await _replace_moved(commits, state, stored[0], new, expected):
                return False
            await _touch(commits, state)
            return True
        record = msgspec.structs.replace(state.record, updated_at=time_of(state.moment))
        change = Change(record, {"cuts": state.document["cuts"] + 1}, {"batches": _replaced(draft.id, new)})
        return True if await commits.update(state, change) is True else None

    if not await commits.change(scope, session_id, attempt, ids=[draft.id]):
        return None
    found = await reading.by_ids(scope, session_id, [draft.id])
    if not found:
        raise MessageNotFound(session_id, draft.id)
    return found[0]


def _replaced(message_id: str, new: Document) -> Document:
    is_it = {"$eq": ["$$m.id", statements.literal(message_id)]}
    one = {"$cond": [is_it, {"$mergeObjects": ["$$m", statements.literal(new)]}, "$$m"]}
    messages = {"$map": {"input": {"$ifNull": ["$$b.messages", []]}, "as": "m", "in": one}}
    return {"$map": {"input": "$batches", "as": "b", "in": {"$mergeObjects": ["$$b", {"messages": messages}]}}}


async def _replace_moved(commits: Commits, state: State, stored: Stored, new: Document, expected: str) -> bool:
    """One update of the message's document; what the search then finds is only what has the message's content key."""
    place = state.life.at(stored.seq)
    fields = {name: value for name, value in new.items() if name != "text"}

    async def send(to: Collections) -> Document | None:
        return await to.messages.find_one_and_update({"_id": place, "key": expected}, {"$set": fields})

    before = await commits.client.write(send)
    if before is None:
        return False
    entries = search_documents(
        {**before, **fields}, new["text"], state.document["tenant"], state.document.get("user_id")
    )
    await commits.client.read(
        lambda to: to.search.delete_many({"_id": state.life.seqs(stored.seq - 1, stored.seq + 1)})
    )
    await commits.mover.insert_missing([], entries)
    return True


async def _touch(commits: Commits, state: State) -> None:
    """The session's `updated_at`, and a sign for a fork that is copying."""
    pipeline = [
        statements.LATEST,
        {"$set": {"writes": statements.added("writes", 1), "cuts": statements.added("cuts", 1)}},
    ]
    session = {"_id": state.life.key, "life": state.life.id}
    await commits.client.read(lambda to: to.sessions.update_one(session, pipeline))
