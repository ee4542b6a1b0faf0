"""How messages get from a session's document to their own collection, one mover at a time, and how leftovers go.

1. `claim`: the session's document says which batches are being moved, and the claim ends by itself after a while.
2. The messages and their search entries are inserted under `_id`s made of life and seq, so doing it twice is harmless.
3. `complete`: one update takes the batches out of the document and admits what was inserted.

A reader believes the document alone: before 3 the messages are read from it, afterwards from the collection. A cut of
the log that meets a claim takes the claim away and begins a new epoch, so what that mover inserts is never admitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentkeep.errors import PersistenceError
from agentkeep.records import Scope
from bson import Int64, ObjectId
from pymongo import ReturnDocument

from agentkeep_mongo import statements
from agentkeep_mongo.client import Client
from agentkeep_mongo.concerns import Collections, Document
from agentkeep_mongo.documents import Life, Segment, message_document
from agentkeep_mongo.replacing import apply_edits, insert_missing
from agentkeep_mongo.terms import search_documents

_MANY_BATCHES = 96
_KEPT_BATCHES = 56
"""A tail of 50 then needs the session's document alone, which is half the work for the server. And between a writer's
look for its ids and its commit, others rarely move what it looked for (IDEM-1)."""
_MANY_MESSAGES = 512
_MANY_BYTES = 512 * 1024
MAX_PENDING_BYTES = 4 * 1024 * 1024
"""A document holds 16 MiB, of which a session's own fields may take a little over 8."""
STAGE_ABOVE_BYTES = 256 * 1024
"""A larger batch goes to the messages' collection ahead of its commit."""


def is_time_to_move(document: Document, count: int, size: int) -> bool:
    """Whether the append of `count` messages that led to this document is the one that has to move."""
    batches, messages, stored = document["batch_count"], document["pending"], document["pending_bytes"]
    return (
        (batches >= _MANY_BATCHES and batches % (_MANY_BATCHES // 2) == 0)
        or messages // _MANY_MESSAGES > (messages - count) // _MANY_MESSAGES
        or stored // _MANY_BYTES > (stored - size) // _MANY_BYTES
    )


class Mover:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def relieve(self, life: Life, batches: int) -> None:
        """Move most batches after an append that is committed already; if that fails, somebody else will."""
        try:
            await self.move(life, keep=_KEPT_BATCHES if batches >= _MANY_BATCHES else 0)
        except PersistenceError:
            return

    async def move(self, life: Life, *, keep: int = 0) -> None:
        """Move all batches but the newest `keep`, unless another mover is at it. Raises `Unavailable`."""
        me = ObjectId()
        guard = {"_id": life.key, "life": life.id, f"batches.{keep}": {"$exists": True}, **statements.not_moving(me)}

        async def claim(to: Collections) -> Document | None:
            return await to.sessions.find_one_and_update(
                guard, statements.claim_move(me, keep=keep), return_document=ReturnDocument.AFTER
            )

        claimed = await self._client.read(claim)
        if claimed is None or claimed["move"]["by"] != me:
            return
        upto = int(claimed["move"]["upto"])
        batches = [each for each in claimed["batches"] if each["last"] <= upto]
        await self._insert(life, claimed, batches)
        await self._complete(life, claimed, batches)

    async def settle(self, life: Life) -> None:
        """Do what a commit has left to do before anybody may read the log. Raises `Unavailable`."""
        wanted = {"_id": life.key, "life": life.id, "unsettled": {"$gt": 0}}
        fields = {"edits": 1, "tenant": 1, "user_id": 1, "batches.staged": 1, "retag": 1}
        session = await self._client.read(lambda to: to.sessions.find_one(wanted, fields))
        if session is None:
            return
        if session.get("retag"):
            await self._retag(life, session.get("user_id"))
        if session.get("edits"):
            await apply_edits(self._client, life, session)
            for edit in session["edits"]:
                if "staged" in edit:
                    await self.unstage(Life(life.key, edit["staged"]))
        if any("staged" in each for each in session["batches"]):
            await self.move(life)

    async def _insert(self, life: Life, session: Document, batches: Sequence[Document]) -> None:
        messages: list[Document] = []
        entries: list[Document] = []
        floor, epoch = int(session["floor"]), int(session["epoch"])
        for batch in batches:
            if "staged" in batch:
                await self._admit(life, session, batch)
                continue
            for seq, entry in enumerate(batch["messages"], int(batch["first"])):
                if seq > floor:
                    stored = message_document(life, seq, entry, at=batch["at"], version=batch["version"], epoch=epoch)
                    messages.append(stored)
                    entries += search_documents(stored, entry["text"], session["tenant"], session.get("user_id"))
        await self.insert_missing(messages, entries)

    async def insert_missing(self, messages: Sequence[Document], entries: Sequence[Document]) -> None:
        await self._client.read(lambda to: insert_missing(to.messages, messages))
        await self._client.read(lambda to: insert_missing(to.search, entries))

    async def _admit(self, life: Life, session: Document, batch: Document) -> None:
        """Copy a staged batch to its seqs; the server does it, so nothing goes over the wire again."""
        staged, first = Life(life.key, batch["staged"]), int(batch["first"])
        after = max(-1, int(session["floor"]) - first)
        user = session.get("user_id")

        def copied(name: str, fields: Document) -> list[Document]:
            place = {"s": "$_id.s", "l": life.id, "q": {"$add": ["$_id.q", Int64(first)]}}
            place |= {"n": "$_id.n", "c": "$_id.c"} if name == "search" else {}
            return [
                {"$match": {"_id": staged.seqs(after)}},
                {"$set": {"e": session["epoch"], **fields}},
                {"$replaceWith": {"$mergeObjects": ["$$ROOT", {"_id": place}]}},
                {"$merge": {"into": f"{self._client.prefix}_{name}", "whenMatched": statements.UNLESS_EARLIER}},
            ]

        at = {"at": {"$ifNull": ["$at", batch["at"]]}, "version": batch["version"]}

        async def copy(to: Collections) -> None:
            await (await to.messages.aggregate(copied("messages", at))).to_list()
            await (await to.search.aggregate(copied("search", {"user": statements.literal(user)}))).to_list()

        await self._client.read(copy)

    async def _complete(self, life: Life, claimed: Document, batches: Sequence[Document]) -> None:
        upto, epoch = int(claimed["move"]["upto"]), int(claimed["epoch"])
        segments = [Segment(int(number), int(to)) for number, to in claimed["segments"]]
        if segments and segments[-1].epoch == epoch:
            segments.pop()
        segments.append(Segment(epoch, upto))
        # nobody has completed a move or cut into this one; who claimed it last does not matter
        guard = {"_id": life.key, "life": life.id, "epoch": epoch, "moved": claimed["moved"]}
        drawn = max((each["drawn"] for each in batches if "drawn" in each), default=None)
        change = statements.complete_move(upto, segments, drawn)
        completed = await self._client.read(lambda to: to.sessions.update_one(guard, change))
        if not completed.matched_count:
            await self.remove_dead(life, after=int(batches[0]["first"]) - 1, upto=upto)
            return
        for staged in [each["staged"] for each in batches if "staged" in each]:
            await self.unstage(Life(life.key, staged))

    async def _retag(self, life: Life, user_id: str | None) -> None:
        """The search entries of a session follow its user."""
        change = {"$set": {"user": user_id}}
        await self._client.read(lambda to: to.search.update_many({"_id": life.everything()}, change))
        same = {"_id": life.key, "life": life.id, "user_id": user_id}
        await self._client.read(lambda to: to.sessions.update_one(same, statements.retagged()))

    async def stage(self, life: Life, messages: Sequence[Document], entries: Sequence[Document]) -> None:
        """Write ahead of a commit what it will admit. It first says so, for a sweep to find leftovers."""
        record = {"$setOnInsert": {"key": life.key}, "$currentDate": {"at": True}}
        await self._client.read(lambda to: to.staged.update_one({"_id": life.id}, record, upsert=True))
        await self.insert_missing(messages, entries)

    async def stage_entries(self, life: Life, scope: Scope, entries: Sequence[Document]) -> None:
        """Stage a batch; what its commit will say of it (seqs, version, time) is set as it is admitted."""
        messages: list[Document] = []
        found: list[Document] = []
        for number, entry in enumerate(entries):
            message = message_document(life, number, entry, at=0, version=0, epoch=0)
            if "at" not in entry:
                del message["at"]
            messages.append(message)
            found += search_documents(message, entry["text"], scope.tenant, scope.user_id)
        await self.stage(life, messages, found)

    async def unstage(self, life: Life, *, committed: bool = False) -> None:
        """Remove what was staged. `committed`: it is a session's now, and only the record of the staging goes."""
        if not committed:
            await self._remove({"_id": life.everything()})
        await self._client.read(lambda to: to.staged.delete_one({"_id": life.id}))

    async def remove_cut(self, life: Life, ranges: Sequence[tuple[int, int]], token: ObjectId) -> None:
        """Remove what a commit cut off. If it fails, a sweep does it: the session keeps the token."""
        try:
            for after, upto in ranges:
                await self.remove_dead(life, after=after, upto=upto)
            await self._clean_now({"_id": life.key, "life": life.id}, token)
        except PersistenceError:
            return

    async def remove_lives(self, key: str, lives: Sequence[ObjectId], token: ObjectId) -> None:
        """Remove what earlier lives of a session left. If it fails, a sweep does it."""
        try:
            for life in lives:
                await self._remove({"_id": Life(key, life).everything()})
            await self._client.read(lambda to: to.sessions.update_one({"_id": key}, {"$pull": {"old": {"$in": lives}}}))
            await self._clean_now({"_id": key}, token)
        except PersistenceError:
            return

    async def _clean_now(self, session: Document, token: ObjectId) -> None:
        await self._client.read(lambda to: to.sessions.update_one(session, {"$pull": {"dirty": token}}))

    async def remove_dead(self, life: Life, *, after: int, upto: int) -> None:
        """Remove what is left over in a range: no session admits it, and none will."""
        session = await self._client.read(
            lambda to: to.sessions.find_one({"_id": life.key, "life": life.id}, {"floor": 1, "segments": 1, "epoch": 1})
        )
        dead: Document = {"_id": life.seqs(after, upto + 1)}
        if session is not None:
            admitted = [{"e": epoch, "_id.q": {"$lte": to}} for epoch, to in session["segments"]]
            left = {"e": {"$lt": session["epoch"]}, **({"$nor": admitted} if admitted else {})}
            dead["$or"] = [{"_id.q": {"$lte": session["floor"]}}, left]
        await self._remove(dead)

    async def _remove(self, wanted: Any) -> None:
        await self._client.read(lambda to: to.messages.delete_many(wanted))
        await self._client.read(lambda to: to.search.delete_many(wanted))
