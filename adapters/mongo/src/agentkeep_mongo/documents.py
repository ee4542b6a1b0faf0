"""Documents to records and back.

Times are microseconds since 1970, because MongoDB's own dates have milliseconds. What is None is left out, except
`expires_at`: it is NEVER then, so that one comparison tells who is alive. Counters are pairs, because their names may
hold a dot.

A session's document holds its newest messages in `batches`, each as one append stored it:

    {first: 7, last: 8, version: 3, at: <time>, messages: [{id, role, payload, key, text, at}, …], drawn: <first id>}
    {first: 9, last: 900, version: 3, at: <time>, staged: <id>}         # they were too large, and stand in `messages`

`drawn` is there if core drew the ids, and `moved_drawn` of a session is the greatest of those that were moved. A fork
keeps its parent's, and a restored session has the greatest id of core's form.
`listed` is there until a listing, a delete or a sweep has met the session as expired: only with it a session is in the
indexes of listings.

`docs/adr/0010-mongo-commit-point.md` says how they get from there to the messages' collection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

from agentkeep.records import Append, MessageDraft, MessageRecord, RestoredMessage, Scope, SessionRecord
from bson import Int64, MaxKey, ObjectId

Document: TypeAlias = dict[str, Any]

NEVER = Int64(2**62)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime | None) -> Int64 | None:
    return None if moment is None else Int64((moment - _EPOCH) // _MICROSECOND)


def duration(span: timedelta | None) -> Int64 | None:
    return None if span is None else Int64(span // _MICROSECOND)


def moment_of(value: int | None) -> datetime | None:
    return None if value is None else time_of(value)


def time_of(value: int) -> datetime:
    return _EPOCH + _MICROSECOND * value  # exact, and cheaper than a duration made from an integer


def session_key(tenant: str, session_id: str) -> str:
    """A session's `_id`. Neither part has control characters, so no two pairs give one key."""
    return f"{tenant}\n{session_id}"


class Segment(NamedTuple):
    """Messages up to seq `to` were moved in this epoch; those after them in later ones."""

    epoch: int
    to: int


class Life(NamedTuple):
    """One life of a session: what the documents of its messages begin with."""

    key: str
    id: ObjectId

    def seqs(self, after: int, before: int | None = None) -> Document:
        """The `_id`s of messages, and of their search entries, with `after` < seq < `before`."""
        upper: Any = MaxKey() if before is None else Int64(before)
        return {"$gte": self.at(Int64(after + 1)), "$lt": self.at(upper)}

    def everything(self) -> Document:
        """The `_id`s of all documents of this life, in the collections of messages and of search entries."""
        return {"$gte": {"s": self.key, "l": self.id}, "$lt": self.at(MaxKey())}

    def at(self, seq: Any) -> Document:
        return {"s": self.key, "l": self.id, "q": seq}


def session_document(scope: Scope, record: SessionRecord, labels: Sequence[str]) -> Document:
    """A new life of a session, without its messages."""
    values: Document = {
        "_id": session_key(scope.tenant, record.id),
        "life": ObjectId(),
        "tenant": scope.tenant,
        **record_fields(record),
        "labels": list(labels),
        "listed": True,
        "batches": [],
        "pending": 0,
        "pending_bytes": 0,
        "floor": 0,
        "segments": [],
        "epoch": 0,
        "moved": 0,
        "writes": 0,
        "cuts": 0,
    }
    return {name: value for name, value in values.items() if value is not None}


def record_fields(record: SessionRecord) -> Document:
    """The fields of a record as they are stored; None is left in."""
    return {
        "id": record.id,
        "user_id": record.user_id,
        "agent_name": record.agent_name,
        "title": record.title,
        "status": record.status,
        "current_route": record.current_route,
        "current_step": record.current_step,
        "state": record.state,
        "metadata": record.metadata,
        "counters": [[name, Int64(value)] for name, value in record.counters.items()],
        "parent_id": record.parent_id,
        "forked_at_seq": _int(record.forked_at_seq),
        "version": Int64(record.version),
        "schema_version": _int(record.schema_version),
        "message_count": Int64(record.message_count),
        "last_seq": Int64(record.last_seq),
        "created_at": micros(record.created_at),
        "updated_at": micros(record.updated_at),
        "last_message_at": micros(record.last_message_at),
        "completed_at": micros(record.completed_at),
        "ends_at": micros(record.ends_at),
        "idle_ttl": duration(record.idle_ttl),
        "expires_at": NEVER if record.expires_at is None else micros(record.expires_at),
    }


RECORD_FIELDS = tuple(SessionRecord.__struct_fields__)
"""A record's fields have the same names in the document."""


def _int(value: int | None) -> Int64 | None:
    return None if value is None else Int64(value)


def session_record(document: Mapping[str, Any]) -> SessionRecord:
    """Raises `KeyError`, `TypeError`, `ValueError` for a document that is not ours."""
    idle = document.get("idle_ttl")
    return SessionRecord(
        id=document["id"],
        user_id=document.get("user_id"),
        agent_name=document.get("agent_name"),
        title=document.get("title"),
        status=document["status"],
        current_route=document.get("current_route"),
        current_step=document.get("current_step"),
        state=_text(document["state"]),
        metadata=_text(document["metadata"]),
        counters={name: int(value) for name, value in document["counters"]},
        parent_id=document.get("parent_id"),
        forked_at_seq=_whole(document.get("forked_at_seq")),
        version=int(document["version"]),
        schema_version=_whole(document.get("schema_version")),
        message_count=int(document["message_count"]),
        last_seq=int(document["last_seq"]),
        created_at=time_of(document["created_at"]),
        updated_at=time_of(document["updated_at"]),
        last_message_at=moment_of(document.get("last_message_at")),
        completed_at=moment_of(document.get("completed_at")),
        ends_at=moment_of(document.get("ends_at")),
        idle_ttl=None if idle is None else timedelta(microseconds=idle),
        expires_at=None if document["expires_at"] >= NEVER else time_of(document["expires_at"]),
    )


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def message_record(document: Mapping[str, Any]) -> MessageRecord:
    """Of a document of the messages' collection, as `queries.py` reads it, or of one that `batch_messages` made.

    Raises `KeyError`, `TypeError`, `ValueError` for a document that is not ours.
    """
    id, role, payload = document["id"], document["role"], document["payload"]
    if not type(id) is type(role) is type(payload) is str:
        raise TypeError
    return MessageRecord(id=id, seq=int(document["q"]), role=role, payload=payload, created_at=time_of(document["at"]))


def batch_messages(batch: Mapping[str, Any]) -> list[Document]:
    """The messages of a batch, as `message_record` reads them."""
    at = batch["at"]
    return [{"at": at, **entry, "q": seq} for seq, entry in enumerate(batch["messages"], int(batch["first"]))]


def content_of(draft: MessageDraft) -> Document:
    """What a replacement changes of a message."""
    return {"role": draft.role, "payload": draft.payload, "key": draft.content_key, "text": draft.search_text}


def batch_entry(draft: MessageDraft) -> Document:
    """A message as it stands in a batch."""
    entry: Document = {"id": draft.id, **content_of(draft)}
    if draft.created_at is not None:
        entry["at"] = micros(draft.created_at)
    return entry


def message_document(life: Life, seq: int, entry: Mapping[str, Any], *, at: int, version: int, epoch: int) -> Document:
    """A message in its own collection; `entry` is its entry in a batch."""
    return {
        "_id": life.at(Int64(seq)),
        "e": epoch,
        "id": entry["id"],
        "role": entry["role"],
        "payload": entry["payload"],
        "key": entry["key"],
        "at": Int64(entry.get("at", at)),
        "version": Int64(version),
    }


def restored_entry(message: RestoredMessage) -> Document:
    return batch_entry(message)


def size_of(drafts: Sequence[MessageDraft]) -> int:
    """About how many bytes the messages take in a session's document."""
    return sum(_bytes(draft.payload) + _bytes(draft.search_text) + 120 + len(draft.id) for draft in drafts)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def ids_of(append: Append) -> list[str]:
    return [draft.id for draft in append.messages]
