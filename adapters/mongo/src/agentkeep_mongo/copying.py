"""Forks and restored sessions: the messages go ahead, and the session's document admits them all at once (SES-5)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from agentkeep.errors import AlreadyExists, OutcomeUnknown, PersistenceError, SessionNotFound
from agentkeep.records import Fork, RestoredMessage, Scope, SessionRecord
from agentkeep.spi.ids import greatest_drawn
from agentkeep.spi.outcomes import check_visible, forked_at, forked_session
from bson import Int64, ObjectId

from agentkeep_mongo import queries, statements
from agentkeep_mongo.client import Client
from agentkeep_mongo.commit import Commits, pause
from agentkeep_mongo.concerns import Collections, Document
from agentkeep_mongo.documents import (
    Life,
    batch_entry,
    message_document,
    moment_of,
    session_document,
    session_key,
    time_of,
)
from agentkeep_mongo.moving import Mover
from agentkeep_mongo.state import State
from agentkeep_mongo.terms import search_documents


class Copying:
    def __init__(self, client: Client, commits: Commits, mover: Mover) -> None:
        self._client = client
        self._commits = commits
        self._mover = mover

    async def restore(
        self, scope: Scope, record: SessionRecord, labels: Sequence[str], messages: Sequence[RestoredMessage]
    ) -> None:
        document = session_document(scope, record, labels)
        life = Life(document["_id"], document["life"])
        stored: list[Document] = []
        entries: list[Document] = []
        for each in messages:
            entry = batch_entry(each)
            message = message_document(life, each.seq, entry, at=0, version=record.version, epoch=0)
            stored.append(message)
            entries += search_documents(message, each.search_text, scope.tenant, record.user_id)
        if messages:
            drawn = greatest_drawn(each.id for each in messages)
            document |= _all_moved(max(each.seq for each in messages), drawn)

        async def attempt(state: State | None) -> bool | None:
            if state is not None and state.is_alive:
                raise AlreadyExists(record.id)
            if stored:
                await self._mover.stage(life, stored, entries)
            return True if await self._committed(document, life, state) else None

        await self._commits.change(scope, record.id, attempt)

    async def _committed(self, document: Document, life: Life, state: State | None) -> bool:
        """Whether the new session stands; if not, what went ahead is removed."""
        try:
            done = await self._commits.create(document, state)
        except OutcomeUnknown:
            raise  # a sweep finds out
        except PersistenceError:
            await self._mover.unstage(life)
            raise
        with suppress(PersistenceError):
            await self._mover.unstage(life, committed=done is True)
        return done is True

    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        key = session_key(scope.tenant, fork.session_id)
        fields = {"batches": 1, "cuts": 1, "labels": 1, "moved_drawn": 1}

        async def attempt(target: State | None) -> SessionRecord | None:
            parent = await self._parent(scope, fork, key)
            if target is not None and target.is_alive:
                raise AlreadyExists(fork.new_id)
            at = forked_at(fork, parent.record.last_seq)
            found = await self._client.read(
                lambda to: to.sessions.find_one({"_id": key, "life": parent.life.id, "writes": parent.writes}, fields)
            )
            if found is None:
                return None
            return await self._copy(scope, fork, parent, found, target, at)

        return await self._commits.change(Scope(scope.tenant), fork.new_id, attempt)

    async def _parent(self, scope: Scope, fork: Fork, key: str) -> State:
        """Raises `SessionNotFound`."""
        tries = 0
        while True:
            parent = await self._commits.head(key)
            if parent is None or not parent.is_alive:
                raise SessionNotFound(fork.session_id)
            check_visible(scope, fork.session_id, parent.record.user_id)
            if not parent.is_unsettled:
                return parent
            await self._mover.settle(parent.life)
            tries += 1
            await pause(tries)

    async def _copy(
        self, scope: Scope, fork: Fork, parent: State, found: Document, target: State | None, at: int
    ) -> SessionRecord | None:
        """None: the parent's log was cut or changed meanwhile, or somebody else took the id."""
        life = Life(session_key(scope.tenant, fork.new_id), ObjectId())
        moved = min(at, int(parent.document["moved"]))
        user = (fork.changes or {}).get("user_id", parent.record.user_id)
        count, last_at = 0, None
        if moved:
            await self._mover.stage(life, [], [])
            await self._client.read(lambda to: _copy_moved(to, parent, life, moved, fork.version, user))
            count, last_at = await self._client.read(lambda to: _count_and_last(to, life))
        batches = _up_to(found["batches"], at, fork.version)
        entries = [(each, batch["at"]) for batch in batches for each in batch["messages"]]
        if entries:
            last_at = entries[-1][0].get("at", entries[-1][1])
        record = forked_session(
            parent.record,
            fork,
            time_of(parent.moment),
            count=count + len(entries),
            last_message_at=moment_of(last_at),
        )
        labels = (fork.changes or {}).get("labels", found["labels"])
        document = session_document(scope, record, labels) | {
            "life": life.id,
            "batches": batches,
            "pending": len(entries),
            "pending_bytes": sum(int(each["bytes"]) for each in batches),
            "writes": parent.writes,  # so a later replacement has a higher number (`n`) than those of copied messages
            **(_all_moved(moved, found.get("moved_drawn")) if moved else {}),
        }
        if await self._is_as_read(parent, found):
            return record if await self._committed(document, life, target) else None
        if moved:
            await self._mover.unstage(life)
        return None

    async def _is_as_read(self, parent: State, found: Document) -> bool:
        same = {"_id": parent.life.key, "life": parent.life.id, "cuts": found["cuts"], **statements.ALIVE}
        return await self._client.read(lambda to: to.sessions.find_one(same, {"_id": 1})) is not None


def _all_moved(upto: int, drawn: str | None) -> Document:
    fields: Document = {"segments": [[0, Int64(upto)]], "moved": Int64(upto)}
    return fields if drawn is None else fields | {"moved_drawn": drawn}


def _up_to(batches: Sequence[Document], at: int, version: int) -> list[Document]:
    """A parent's batches, as the copy's first commit stored them."""
    kept: list[Document] = []
    for batch in batches:
        if batch["first"] <= at:
            last = min(int(batch["last"]), at)
            messages = batch["messages"][: last - int(batch["first"]) + 1]
            kept.append({**batch, "last": Int64(last), "version": Int64(version), "messages": messages})
    return kept


async def _copy_moved(to: Collections, parent: State, life: Life, moved: int, version: int, user: str | None) -> None:
    """The server copies, so the messages do not go over the wire."""
    wanted = queries.visible(parent.life, parent.segments, after=int(parent.document["floor"]), before=moved + 1)

    def copied(name: str, collection: str, fields: Document) -> list[Document]:
        place: dict[str, Any] = {"s": statements.literal(life.key), "l": life.id, "q": "$_id.q"}
        place |= {"n": "$_id.n", "c": "$_id.c"} if name == "search" else {}
        return [
            {"$match": wanted},
            {"$set": {"e": 0, **fields}},
            {"$replaceWith": {"$mergeObjects": ["$$ROOT", {"_id": place}]}},
            {"$merge": {"into": collection, "whenMatched": "keepExisting"}},
        ]

    messages = copied("messages", to.messages.name, {"version": Int64(version)})
    await (await to.messages.aggregate(messages)).to_list()
    search = copied("search", to.search.name, {"user": statements.literal(user)})
    await (await to.search.aggregate(search)).to_list()


async def _count_and_last(to: Collections, life: Life) -> tuple[int, int | None]:
    everything = {"_id": life.everything()}
    count = await to.messages.count_documents(everything)
    newest = await to.messages.find(everything, {"at": 1}).sort("_id", -1).limit(1).to_list()
    return count, newest[0]["at"] if newest else None
