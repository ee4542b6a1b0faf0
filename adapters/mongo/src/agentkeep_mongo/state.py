"""A session as a writer reads it, and which of the asked messages it holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from agentkeep.records import SessionRecord
from agentkeep.spi.decode import decode, session_name
from bson import ObjectId

from agentkeep_mongo.concerns import Document
from agentkeep_mongo.documents import Life, Segment, session_record
from agentkeep_mongo.statements import reserve_of


class Raced(Exception):
    """The documents are those of a later commit."""


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
        self.is_unsettled = bool(document.get("unsettled"))
        held = document.get("hold")
        self.held_by: ObjectId | None = held["by"] if held is not None and held["until"] > self.now else None

    @property
    def reach(self) -> int:
        """Up to which seq movers that did not complete may have inserted messages; 0: there are none."""
        move = self.document.get("move")
        return 0 if move is None else int(move["reach"])

    @property
    def moment(self) -> int:
        """What becomes `updated_at`, which never goes back."""
        return max(self.now, int(self.document["updated_at"]))

    def milliseconds_to_write(self, longest: int) -> int:
        """How long a write that moves the expiry may take: `longest`, or half of what is left if that is less."""
        expires_at = int(self.document["expires_at"])
        left = expires_at - self.now - reserve_of(expires_at, int(self.document["updated_at"]))
        return max(1, min(longest, left // 2000))

    def stored(self) -> list[Stored]:
        """Those of the asked ids that the session holds."""
        moved = admitted(self.document, self.document.get("moved_hits", ()))
        found = {
            each["id"]: Stored(each["id"], int(each["q"]), each["key"], int(each["version"]))
            for each in (*moved, *self.document.get("pending_hits", ()))
        }
        return list(found.values())


def admitted(session: Document, moved: Iterable[Document]) -> list[Document]:
    """Those documents of the messages' collection that a session holds.

    What a crash left over has another epoch than the session's, or a seq that was trimmed.
    """
    floor, last = session["floor"], {int(epoch): int(to) for epoch, to in session["segments"]}
    return [each for each in moved if floor < each["q"] <= last.get(each["e"], 0)]
