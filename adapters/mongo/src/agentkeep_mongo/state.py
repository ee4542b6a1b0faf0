"""A session as a writer reads it, and which of the asked messages it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from agentkeep.records import SessionRecord
from agentkeep.spi.decode import decode, session_name
from bson import ObjectId

from agentkeep_mongo.client import Document
from agentkeep_mongo.documents import Life, Segment, session_record


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
