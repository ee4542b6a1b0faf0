"""What a call makes of a session's log, before its commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from agentkeep.records import SessionRecord
from bson import Int64

from agentkeep_mongo import queries, statements
from agentkeep_mongo.client import Client
from agentkeep_mongo.concerns import Collections, Document
from agentkeep_mongo.documents import Segment, moment_of, time_of
from agentkeep_mongo.state import Raced, State


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
        self._moving_to = state.reach
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
            floor = await self._first_kept(of_moved) - 1
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
        return (await self._moved_message(-1, 0))["at"]

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
        wanted = queries.visible(self._life, self.segments, after=max(after, self.floor))
        return await self._client.read(lambda to: to.messages.count_documents(wanted))

    async def _first_kept(self, of_moved: int) -> int:
        """The seq of the oldest of the newest moved messages, counted from the nearer end of them."""
        surplus = self.moved_count - of_moved
        order, skipped = (1, surplus) if surplus < of_moved else (-1, of_moved - 1)
        return int((await self._moved_message(order, skipped))["_id"]["q"])

    async def _moved_message(self, order: int, skipped: int) -> Document:
        """Of the moved messages in this order: -1 begins with the newest."""
        wanted = queries.visible(self._life, self.segments, after=self.floor)
        fields = {"_id": 1, "at": 1}

        async def send(to: Collections) -> list[Document]:
            return await to.messages.find(wanted, fields).sort("_id", order).skip(skipped).limit(1).to_list()

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


def _up_to(segments: Sequence[Segment], seq: int) -> list[Segment]:
    kept: list[Segment] = []
    start = 0
    for segment in segments:
        if start < seq:
            kept.append(Segment(segment.epoch, min(segment.to, seq)))
        start = segment.to
    return kept
