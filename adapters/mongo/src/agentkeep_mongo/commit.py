"""The commit point: one update of the session's document, which does all of a call or nothing (ORD-6).

`State` is what a writer read, `Log` what the call makes of the log, `Commits.change` the loop: read, decide, update the
document if nobody has written since. A writer that lost three races holds the session for itself for a moment, so that
it comes through among many (ORD-4). A plain append needs none of this: see `appending.py`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple, TypeVar

from agentkeep.errors import PersistenceError, SessionNotFound
from agentkeep.records import Scope, SessionRecord
from agentkeep.spi.outcomes import check_visible
from bson import Int64, ObjectId
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError, ExecutionTimeout

from agentkeep_mongo import queries, statements
from agentkeep_mongo.client import Client, Recheck
from agentkeep_mongo.concerns import Collections, Document
from agentkeep_mongo.documents import record_fields, session_key
from agentkeep_mongo.moving import Mover
from agentkeep_mongo.state import Raced, State

T = TypeVar("T")

_RACES = 3
_PAUSE_SECONDS = 0.002
_MOST_MILLISECONDS = 2**31 - 1


class Change(NamedTuple):
    """What a commit makes of a session."""

    record: SessionRecord
    fields: Document
    """Fields that are no record's: None removes one."""
    expressions: Document
    """Fields that the server computes."""
    doomed: Sequence[tuple[int, int]] = ()
    """Messages that go, as seqs: after the first number, up to the second."""


class Commits:
    def __init__(self, client: Client, mover: Mover) -> None:
        self.client = client
        self.mover = mover
        self.longest = min(max(1, int(client.seconds * 1000)), _MOST_MILLISECONDS)
        """The `maxTimeMS` of a write: its caller waits no longer."""

    async def head(self, key: str, ids: Sequence[str] = ()) -> State | None:
        """Raises `Corrupt`."""

        async def send(to: Collections) -> Document | None:
            cursor = await to.sessions.aggregate(queries.head(key, ids, to.messages.name))
            return next(iter(await cursor.to_list(1)), None)

        found = await self.client.read_ahead(key, send)
        return None if found is None else State(found)

    async def change(
        self,
        scope: Scope,
        session_id: str,
        attempt: Callable[[State | None], Awaitable[T | None]],
        *,
        ids: Sequence[str] = (),
    ) -> T:
        """Read and `attempt`, until that returns something; None: somebody else wrote first."""
        key = session_key(scope.tenant, session_id)
        me = ObjectId()
        tries = 0
        async with self._holding(key, me) as hold:
            while True:
                if tries >= _RACES:
                    await hold()
                state = await self.head(key, ids)
                if state is not None and state.is_unsettled:
                    await self.mover.settle(state.life)
                    await pause(0)
                    continue
                if state is None or state.held_by in (None, me):
                    with suppress(Raced):
                        result = await attempt(state)
                        if result is not None:
                            return result
                tries += 1
                await pause(tries)

    @asynccontextmanager
    async def _holding(self, key: str, me: ObjectId) -> AsyncGenerator[Callable[[], Awaitable[None]]]:
        held = False

        async def hold() -> None:
            nonlocal held
            free = {"_id": key, "$expr": {"$not": [{"$gt": ["$hold.until", statements.NOW]}]}}
            result = await self.client.read(lambda to: to.sessions.update_one(free, statements.hold(me)))
            held = held or result.matched_count == 1

        try:
            yield hold
        finally:
            if held:  # the commit took it away, unless the call failed
                with suppress(PersistenceError):
                    await self.client.read(
                        lambda to: to.sessions.update_one({"_id": key, "hold.by": me}, {"$unset": {"hold": ""}})
                    )

    def living(self, scope: Scope, session_id: str, state: State | None) -> State:
        """Raises `SessionNotFound` for a session that is absent, expired or foreign (SES-4, TTL-1, ISO-1)."""
        if state is None or not state.is_alive:
            raise SessionNotFound(session_id)
        check_visible(scope, session_id, state.record.user_id)
        return state

    async def update(self, state: State, change: Change, *, is_repeatable: bool = False) -> bool | Recheck:
        """Commit a change of a living session. False: somebody else wrote first, or it has expired.

        `is_repeatable`: `RECHECK` if no answer came, instead of `OutcomeUnknown`.
        """
        if change.record.user_id != state.record.user_id:
            change = _with_new_user(state, change)
        fields = {**record_fields(change.record), **change.fields, "writes": Int64(state.writes + 1), "hold": None}
        changed = {name: value for name, value in fields.items() if self._differs(state.document, name, value)}
        token = ObjectId()
        expressions = dict(change.expressions)
        if change.doomed:
            expressions["dirty"] = {"$concatArrays": [{"$ifNull": ["$dirty", []]}, [token]]}
        pipeline = statements.set_fields(changed, expressions)
        as_read = {"_id": state.life.key, "life": state.life.id, "writes": state.writes}
        lives, longest = statements.ALIVE, self.longest
        if _is_later(change.record, state.record):
            longest = state.milliseconds_to_write(longest)
            lives = statements.lives_beyond(longest)

        async def send(to: Collections) -> bool | None:
            try:
                found = await to.sessions.find_one_and_update(
                    {**as_read, **lives}, pipeline, {"_id": 1}, maxTimeMS=longest
                )
            except ExecutionTimeout:  # the server ended it, most likely before it wrote
                if await to.sessions.find_one(as_read, {"_id": 1}) is None:
                    raise
                return None
            return None if found is None else True

        result = await self._commit(send, is_repeatable=is_repeatable)
        if result is not True:
            return result
        if change.doomed:
            await self.mover.remove_cut(state.life, change.doomed, token)
        if change.fields.get("retag"):
            with suppress(PersistenceError):  # else whoever reads or searches does it
                await self.mover.settle(state.life)
        return True

    async def _commit(
        self, send: Callable[[Collections], Awaitable[bool | None]], *, is_repeatable: bool
    ) -> bool | Recheck:
        result = await (self.client.commit(send) if is_repeatable else self.client.write(send))
        return False if result is None else result

    @staticmethod
    def _differs(document: Document, name: str, value: Any) -> bool:
        return document.get(name) != value or type(document.get(name)) is not type(value)

    async def create_absent(
        self, document: Document, relative: Sequence[str], *, is_repeatable: bool = False
    ) -> int | Recheck | None:
        """Commit a new session if there is no document of that id; returns the moment of its creation.

        The document was made at `statements.BEGINNING`, and the server adds its time.
        """
        nobodys = {"_id": document["_id"], "life": document["life"]}  # so an upsert inserts, or the `_id` is taken
        pipeline = statements.new_document(document, relative)

        async def upsert(to: Collections) -> int | None:
            try:
                found: Any = await to.sessions.find_one_and_update(
                    nobodys, pipeline, {"updated_at": 1}, upsert=True, return_document=ReturnDocument.AFTER
                )
            except DuplicateKeyError:
                return None
            return int(found["updated_at"])

        return await (self.client.commit(upsert) if is_repeatable else self.client.write(upsert))

    async def create(self, document: Document, state: State | None, *, is_repeatable: bool = False) -> bool | Recheck:
        """Commit a new session in the place of an expired one, or of none. False: somebody else was first."""
        if state is None:

            async def insert(to: Collections) -> bool | None:
                try:
                    await to.sessions.insert_one(dict(document))
                except DuplicateKeyError:
                    return None
                return True

            return await self._commit(insert, is_repeatable=is_repeatable)
        token = ObjectId()
        old = [*state.document.get("old", ()), state.life.id]
        guard = {"_id": state.life.key, "life": state.life.id, "writes": state.writes}
        replacement = {**document, "old": old, "dirty": [token]}

        async def replace(to: Collections) -> bool | None:
            return True if (await to.sessions.replace_one(guard, replacement)).matched_count else None

        result = await self._commit(replace, is_repeatable=is_repeatable)
        if result is True:
            await self.mover.remove_lives(document["_id"], old, token)
        return result


def _with_new_user(state: State, change: Change) -> Change:
    """The search entries follow the session's user. What a mover may still insert has the former one."""
    change = change._replace(fields={**change.fields, "retag": True, "unsettled": 1})
    return change if not state.reach else without_movers(state, change)


def without_movers(state: State, change: Change) -> Change:
    """And what movers that did not complete have inserted, or may still insert, is never admitted."""
    epoch = max(change.fields.get("epoch", 0), state.document["epoch"] + 1)
    dead = (int(state.document["moved"]), state.reach)
    return change._replace(fields={**change.fields, "epoch": epoch, "move": None}, doomed=[*change.doomed, dead])


def _is_later(record: SessionRecord, before: SessionRecord) -> bool:
    """Whether a change moves the session's expiry to a later time, or takes it away."""
    if before.expires_at is None:
        return False
    return record.expires_at is None or record.expires_at > before.expires_at


async def pause(tries: int) -> None:
    """Longer after each lost race, and never the same for all who lost it."""
    longest = _PAUSE_SECONDS * 2 ** min(tries, 6)
    await asyncio.sleep(longest * random.random())  # noqa: S311 - spreads the writers
