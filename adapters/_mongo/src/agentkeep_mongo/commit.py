"""The commit point: one update of the session's document, which does all of a call or nothing (ORD-6).

`State` is what a writer read, `Log` what the call makes of the log, `Commits.change` the loop: read, decide, update the
document if nobody has written since. A writer that lost three races holds the session for itself for a moment, so that
it comes through among many (ORD-4). A plain append needs none of this: see `messages.py`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple, TypeVar

import msgspec
from agentkeep.errors import PersistenceError, SessionNotFound
from agentkeep.records import Scope, SessionRecord
from agentkeep.spi.decode import decode, session_name
from agentkeep.spi.outcomes import check_visible
from bson import Int64, ObjectId
from pymongo.errors import DuplicateKeyError

from agentkeep_mongo import statements
from agentkeep_mongo.client import CODEC, Client, Collections, Document, Recheck
from agentkeep_mongo.documents import (
    Life,
    Segment,
    micros,
    moment_of,
    record_fields,
    session_key,
    session_record,
    time_of,
)
from agentkeep_mongo.moving import Mover

T = TypeVar("T")

_RACES = 3
_PAUSE_SECONDS = 0.002


class Stored(NamedTuple):
    """A message that a session holds already."""

    id: str
    seq: int
    key: str
    version: int


class State:
    """A session as a writer read it, alive or not."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.record: SessionRecord = decode(document, session_record, lambda each: session_name(each.get("id")))
        self.life = Life(document["_id"], document["life"])
        self.now = int(document["now"])
        self.is_alive = document["expires_at"] > self.now
        self.writes = int(document["writes"])
        self.segments = [Segment(int(epoch), int(to)) for epoch, to in document["segments"]]
        self.has_staged = bool(document.get("staged_batches"))
        held = document.get("hold")
        self.held_by: ObjectId | None = held["by"] if held is not None and held["until"] > self.now else None

    @property
    def moment(self) -> int:
        """What becomes `updated_at`, which never goes back."""
        return max(self.now, int(self.document["updated_at"]))

    def stored(self) -> list[Stored]:
        """Those of the asked ids that the session holds."""
        admitted = [each for each in self.document.get("moved_hits", ()) if is_admitted(each, self.segments)]
        admitted = [each for each in admitted if each["q"] > self.document["floor"]]
        found = {
            each["id"]: Stored(each["id"], int(each["q"]), each["key"], int(each["version"]))
            for each in (*admitted, *self.document.get("pending_hits", ()))
        }
        return list(found.values())


def is_admitted(message: Document, segments: Sequence[Segment]) -> bool:
    """Whether a session holds this document of the messages' collection: what is left over has another epoch."""
    return any(message["e"] == segment.epoch and message["q"] <= segment.to for segment in segments)


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

    async def head(self, key: str, ids: Sequence[str] = ()) -> State | None:
        """Raises `Corrupt`."""

        async def send(to: Collections) -> Document | None:
            cursor = await to.sessions.aggregate(statements.head(key, ids, to.messages.name))
            return next(iter(await cursor.to_list(1)), None)

        found = await self.client.read(send)
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
                if state is not None and state.has_staged:
                    await self.mover.move(state.life)
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
    async def _holding(self, key: str, me: ObjectId) -> Any:
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

    async def server_time(self) -> int:
        """The server's clock in microseconds, for a session that is not there yet."""
        reply = await self.client.read(lambda to: to.database.command("hello", codec_options=CODEC))
        return int(micros(reply["localTime"]) or 0)

    async def update(self, state: State, change: Change, *, is_repeatable: bool = False) -> bool | Recheck:
        """Commit a change of a living session. False: somebody else wrote first, or it has expired.

        `is_repeatable`: `RECHECK` if no answer came, instead of `OutcomeUnknown`.
        """
        fields = {**record_fields(change.record), **change.fields, "writes": Int64(state.writes + 1), "hold": None}
        changed = {name: value for name, value in fields.items() if self._differs(state.document, name, value)}
        token = ObjectId()
        expressions = dict(change.expressions)
        if change.doomed:
            expressions["dirty"] = {"$concatArrays": [{"$ifNull": ["$dirty", []]}, [token]]}
        pipeline = statements.set_fields(changed, expressions)
        guard = {"_id": state.life.key, "life": state.life.id, "writes": state.writes, **statements.ALIVE}

        async def send(to: Collections) -> bool | None:
            return True if (await to.sessions.update_one(guard, pipeline)).matched_count else None

        result = await self._commit(send, is_repeatable=is_repeatable)
        if result is not True:
            return result
        if change.doomed:
            await self.mover.remove_cut(state.life, change.doomed, token)
        if change.record.user_id != state.record.user_id:
            await self.mover.retag(state.life, change.record.user_id)
        return True

    async def _commit(
        self, send: Callable[[Collections], Awaitable[bool | None]], *, is_repeatable: bool
    ) -> bool | Recheck:
        result = await (self.client.commit(send) if is_repeatable else self.client.write(send))
        return False if result is None else result

    @staticmethod
    def _differs(document: Document, name: str, value: Any) -> bool:
        return document.get(name) != value or type(document.get(name)) is not type(value)

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


async def pause(tries: int) -> None:
    """Longer after each lost race, and never the same for all who lost it."""
    longest = _PAUSE_SECONDS * 2 ** min(tries, 6)
    await asyncio.sleep(longest * random.random())  # noqa: S311 - spreads the writers


class Log:
    """What a call makes of a session's log, before it is committed.

    The newest messages stand in batches, of which the state knows the shape. Of the moved ones only a query knows,
    because their seqs may have gaps.
    """

    def __init__(self, client: Client, state: State) -> None:
        document = state.document
        self._client = client
        self._life = state.life
        self.floor = int(document["floor"])
        self.top = int(document["last_seq"])
        self.segments = list(state.segments)
        self.epoch = int(document["epoch"])
        self.moved = int(document["moved"])
        self.pending: list[tuple[int, int]] = []
        """Seq and time of each pending message."""
        for batch in document["shape"]:
            self.pending += [(int(batch["first"]) + n, int(at)) for n, at in enumerate(batch["times"])]
        self.moved_count = int(document["message_count"]) - len(self.pending)
        self.batches: Any = "$batches"
        self.batch_count = len(document["shape"])
        self._cuts = int(document["cuts"])
        self._bytes = int(document["pending_bytes"])
        self.doomed: list[tuple[int, int]] = []
        move = document.get("move")
        self._moving_to = 0 if move is None else int(move["reach"])
        self.is_cut = False
        self._last_moved_at = document.get("last_message_at") if not self.pending else None

    def totals(self, size: int) -> Document:
        """About what the document holds after the commit."""
        return {"batch_count": self.batch_count, "pending": len(self.pending), "pending_bytes": self._bytes + size}

    @property
    def count(self) -> int:
        return self.moved_count + len(self.pending)

    async def truncate(self, after: int) -> int:
        """Remove the messages after a seq. Returns how many."""
        before = self.count
        if after < max(self.moved, self._moving_to):
            self.doomed.append((after, max(self.moved, self._moving_to)))
            self._new_epoch()
        if after < self.moved:
            self.moved_count -= await self._count_moved(after)
            self.segments = _up_to(self.segments, after)
            self.moved = after
            self._last_moved_at = None
        self.pending = [each for each in self.pending if each[0] <= after]
        self.batches = statements.keep_up_to(self.batches, after)
        self._cut(before)
        return before - self.count

    async def keep_last(self, keep: int) -> int:
        """Remove all but the newest `keep` messages. Returns how many."""
        before = self.count
        if before <= keep:
            return 0
        of_moved = max(0, keep - len(self.pending))
        if of_moved:
            floor = await self._seq_from_the_end(of_moved) - 1
        else:
            floor = self.top if keep == 0 else self.pending[-keep][0] - 1
        if self._moving_to > self.floor:
            self._new_epoch()
        self.doomed.append((self.floor, floor))
        self.moved_count = of_moved
        self.segments = [each for each in self.segments if each.to > floor]
        self.pending = self.pending[-keep:] if keep else []
        self.batches = statements.keep_after(self.batches, floor)
        self.floor = floor
        self._cut(before)
        return before - self.count

    def add(self, batch: Document, times: Sequence[int]) -> None:
        self.batches = {"$concatArrays": [self.batches, [batch]]}
        self.pending += [(self.top + number, at) for number, at in enumerate(times, 1)]
        self.top += len(times)
        self.batch_count += 1

    async def last_at(self) -> int | None:
        """The time of the newest message."""
        if self.pending:
            return self.pending[-1][1]
        if not self.moved_count:
            return None
        if self._last_moved_at is not None:
            return self._last_moved_at
        return (await self._moved_from_the_end(1))["at"]

    def fields(self) -> Document:
        """What a commit stores of it, besides the record's fields."""
        fields: Document = {
            "floor": Int64(self.floor),
            "segments": [statements.segment_list(each) for each in self.segments],
            "epoch": self.epoch,
            "moved": Int64(self.moved),
        }
        return fields | ({"move": None, "cuts": self._cuts + 1} if self.is_cut else {})

    def expressions(self) -> Document:
        return {} if self.batches == "$batches" else statements.counted_batches(self.batches)

    def _new_epoch(self) -> None:
        """What a mover has still under way must not become visible."""
        self.epoch += 1
        self._moving_to = 0

    def _cut(self, before: int) -> None:
        self.is_cut = self.is_cut or self.count != before

    async def _count_moved(self, after: int) -> int:
        wanted = statements.visible(self._life, self.segments, after=max(after, self.floor))
        return await self._client.read(lambda to: to.messages.count_documents(wanted))

    async def _seq_from_the_end(self, number: int) -> int:
        return int((await self._moved_from_the_end(number))["_id"]["q"])

    async def _moved_from_the_end(self, number: int) -> Document:
        wanted = statements.visible(self._life, self.segments, after=self.floor)
        fields = {"_id": 1, "at": 1}

        async def send(to: Collections) -> list[Document]:
            return await to.messages.find(wanted, fields).sort("_id", -1).skip(number - 1).limit(1).to_list()

        found = await self._client.read(send)
        if not found:
            raise Raced
        return found[0]


async def logged(record: SessionRecord, log: Log, moment: int) -> SessionRecord:
    """A record with what its log is now (CNT-1)."""
    return msgspec.structs.replace(
        record,
        updated_at=time_of(moment),
        message_count=log.count,
        last_seq=log.top,
        last_message_at=moment_of(await log.last_at()),
    )


class Raced(Exception):
    """The documents are those of a later commit."""


def _up_to(segments: Sequence[Segment], seq: int) -> list[Segment]:
    kept: list[Segment] = []
    start = 0
    for segment in segments:
        if start < seq:
            kept.append(Segment(segment.epoch, min(segment.to, seq)))
        start = segment.to
    return kept
