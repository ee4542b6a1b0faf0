"""Records as Redis stores them: a session is a hash of texts, a message one text, a time 18 digits (see lua/*.lua)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any, NamedTuple, cast

import msgspec
from agentkeep.errors import ConfigurationError
from agentkeep.models import Status
from agentkeep.records import (
    MessageDraft,
    MessageRecord,
    RestoredMessage,
    SessionChanges,
    SessionDraft,
    SessionRecord,
    new_session,
)
from agentkeep.spi.decode import decode, decode_all, message_name, session_name

from agentkeep_redis.facets import LABELS_AT, changed_facets, facets_of, label_facets, split_facets

_YEAR_ONE = datetime(1, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(0, 0, 1)
_DAY = 86_400
_OWN_FIELDS = (
    *("user_id", "agent_name", "title", "current_route", "current_step", "parent_id", "forked_at_seq"),
    *("schema_version", "status", "state", "metadata", "version"),
)
_NEVER = b"-" * 18
_FACETS_AT = 70
_FRAME = b"\x28\xb5\x2f\xfd"
"""A zstd frame begins with it; a JSON payload begins with `{`."""

_unpack_counters = msgspec.msgpack.Decoder(dict[str, int]).decode

Fields = dict[bytes, bytes]


class Compression:
    """Packs payloads of at least `above` bytes. None: packs none, and still reads those that others packed."""

    def __init__(self, above: int | None) -> None:
        self._above = above
        self._zstd: Any = None if above is None else _zstd_library()

    def pack(self, payload: bytes) -> bytes:
        if self._above is None or len(payload) < self._above:
            return payload
        return self._zstd.ZstdCompressor().compress(payload)

    def unpack(self, stored: bytes) -> bytes:
        """From a zstd frame. Raises `ValueError`; `ConfigurationError` if the library is missing."""
        self._zstd = self._zstd or _zstd_library()
        try:
            return self._zstd.ZstdDecompressor().decompress(stored)
        except self._zstd.ZstdError as error:
            raise ValueError("not a zstd frame") from error


def _zstd_library() -> Any:
    try:
        return import_module("zstandard")
    except ImportError as error:
        raise ConfigurationError(
            'messages compressed by zstd need a library: pip install "agentkeep-redis[zstd]"'
        ) from error


def time_text(time: datetime) -> str:
    """18 digits, exact from the year 1 to 9999, that sort as the times do."""
    return span_text(time - _YEAR_ONE)


def text_time(text: bytes) -> datetime:
    """Exact: a duration times an integer. It takes a third of the time of a duration made from two integers."""
    return _YEAR_ONE + _MICROSECOND * int(text)


def span_text(duration: timedelta) -> str:
    """18 digits: seconds and microseconds."""
    return f"{duration.days * _DAY + duration.seconds:012d}{duration.microseconds:06d}"


class StoredSession(NamedTuple):
    """A session as it was read, with what the index is made from."""

    record: SessionRecord
    revision: int
    """One more after each change of the session or its log."""
    row: bytes
    """Its row of the index (see lua/index.lua)."""
    facets: frozenset[str]
    label_facets: str


def stored_session(session_id: str, flat: Sequence[bytes]) -> StoredSession:
    """From the reply of HGETALL. Raises `Corrupt` (ERR-4)."""

    def read(flat: Sequence[bytes]) -> StoredSession:
        fields: Fields = dict(zip(flat[::2], flat[1::2], strict=True))
        row = fields[b"row"]
        facets = row[_FACETS_AT:].decode()
        record = _session_record(session_id, fields, row)
        return StoredSession(record, int(row[:16]), row, split_facets(facets), facets[LABELS_AT:])

    return decode(flat, read, lambda _: session_name(session_id))


def _session_record(session_id: str, fields: Fields, row: bytes) -> SessionRecord:
    last_seq, message_count, last_message_at = fields[b"counts"].split(b" ")
    counters = fields.get(b"counters")
    idle_ttl = fields.get(b"idle_ttl")
    return SessionRecord(
        id=session_id,
        user_id=_text(fields, b"user_id"),
        agent_name=_text(fields, b"agent_name"),
        title=_text(fields, b"title"),
        status=cast("Status", fields[b"status"].decode()),
        current_route=_text(fields, b"current_route"),
        current_step=_text(fields, b"current_step"),
        state=fields[b"state"].decode(),
        metadata=fields[b"metadata"].decode(),
        counters={} if counters is None else _unpack_counters(counters),
        parent_id=_text(fields, b"parent_id"),
        forked_at_seq=_number(fields, b"forked_at_seq"),
        version=int(fields[b"version"]),
        schema_version=_number(fields, b"schema_version"),
        message_count=int(message_count),
        last_seq=int(last_seq),
        created_at=text_time(row[16:34]),
        updated_at=text_time(row[34:52]),
        last_message_at=text_time(last_message_at) if last_message_at else None,
        completed_at=_time(fields, b"completed_at"),
        ends_at=_time(fields, b"ends_at"),
        idle_ttl=None if idle_ttl is None else _MICROSECOND * int(idle_ttl),
        expires_at=None if row[52:_FACETS_AT] == _NEVER else text_time(row[52:_FACETS_AT]),
    )


def _text(fields: Fields, name: bytes) -> str | None:
    value = fields.get(name)
    return None if value is None else value.decode()


def _number(fields: Fields, name: bytes) -> int | None:
    value = fields.get(name)
    return None if value is None else int(value)


def _time(fields: Fields, name: bytes) -> datetime | None:
    value = fields.get(name)
    return None if value is None else text_time(value)


def _session_fields(record: SessionRecord) -> list[str]:
    """Names and values in turn, without what the scripts write."""
    fields = {name: getattr(record, name) for name in _OWN_FIELDS}
    if record.completed_at is not None:
        fields["completed_at"] = time_text(record.completed_at)
    return [str(part) for pair in fields.items() if pair[1] is not None for part in pair]


def draft_options(draft: SessionDraft) -> dict[str, Any]:
    """A session to create, for create.lua and, as `create`, for write.lua. The script knows the time."""
    record = new_session(draft, _YEAR_ONE)
    options: dict[str, Any] = {
        "fields": _session_fields(record),
        "facets": facets_of(record, label_facets(draft.labels)),
        "counts": "0 0 ",
        "version": draft.version,
        "owner": draft.user_id,
        "ttl": None if draft.ttl is None else span_text(draft.ttl),
        "idle_ttl": None if draft.idle_ttl is None else span_text(draft.idle_ttl),
    }
    return {name: value for name, value in options.items() if value is not None}


def record_options(record: SessionRecord, labels: str) -> dict[str, Any]:
    """A session to store as it is given, for create.lua."""
    at = "" if record.last_message_at is None else time_text(record.last_message_at)
    return {
        "fields": _session_fields(record),
        "facets": facets_of(record, labels),
        "counts": f"{record.last_seq} {record.message_count} {at}",
        "counters": dict(record.counters) or None,
        "created_at": time_text(record.created_at),
        "updated_at": time_text(record.updated_at),
        "ends_at": None if record.ends_at is None else time_text(record.ends_at),
        "idle_ttl": None if record.idle_ttl is None else span_text(record.idle_ttl),
        "expires_at": _NEVER.decode() if record.expires_at is None else time_text(record.expires_at),
    }


def change_options(changes: SessionChanges) -> dict[str, Any]:
    """What an update sets, names and values in turn, what it removes, and the facets that it changes."""
    others = ("labels", "ttl", "idle_ttl")
    values = {name: value for name, value in changes.items() if name not in others}
    options: dict[str, Any] = {
        "changed": True,
        "set": [str(part) for pair in values.items() if pair[1] is not None for part in pair],
        "unset": [name for name, value in values.items() if value is None],
        "status": changes.get("status"),
        "facets": changed_facets(changes) or None,
    }
    if "labels" in changes:
        options["labels"] = label_facets(changes["labels"])
    if "ttl" in changes:
        options["ttl"] = _span_or_false(changes["ttl"])
    if "idle_ttl" in changes:
        options["idle_ttl"] = _span_or_false(changes["idle_ttl"])
    return options


def _span_or_false(duration: timedelta | None) -> str | bool:
    """False takes the bound away; an absent option leaves it."""
    return False if duration is None else span_text(duration)


class StoredMessage(NamedTuple):
    record: MessageRecord
    version: int
    """The session's version as of the commit that stored the message."""
    content_key: str


class MessageRows:
    """The records of messages, with long payloads compressed if that is wanted."""

    def __init__(self, compression: Compression) -> None:
        self._compression = compression

    def body(self, draft: MessageDraft) -> bytes:
        """What follows seq, time and version in a message's record. Neither key nor role contains a line break."""
        payload = self._compression.pack(draft.payload.encode())
        return b"%b\n%b\n%b" % (draft.content_key.encode(), draft.role.encode(), payload)

    def draft_args(self, drafts: Sequence[MessageDraft]) -> list[bytes | str]:
        """Id, time (empty: the time of the append) and body of each."""
        args: list[bytes | str] = []
        for draft in drafts:
            created_at = "" if draft.created_at is None else time_text(draft.created_at)
            args += (draft.id, created_at, self.body(draft))
        return args

    def restored_args(self, messages: Sequence[RestoredMessage], version: int) -> list[bytes | str]:
        """Seq, id and whole record of each."""
        args: list[bytes | str] = []
        for message in messages:
            assert message.created_at is not None  # noqa: S101 - the record promises it
            head = f"{message.seq}\n{time_text(message.created_at)}\n{version}\n"
            args += (str(message.seq), message.id, head.encode() + self.body(message))
        return args

    def copied_args(self, pairs: Mapping[bytes, bytes], version: int) -> list[bytes | str]:
        """As `restored_args`, from records as they are stored in another session."""
        args: list[bytes | str] = []
        for message_id, text in pairs.items():
            seq, created_at, _, rest = text.split(b"\n", 3)
            args += (seq, message_id, b"%b\n%b\n%d\n%b" % (seq, created_at, version, rest))
        return args

    def stored(self, session_id: str, message_id: str, text: bytes) -> StoredMessage:
        """Raises `Corrupt` (ERR-4)."""

        def read(text: bytes) -> StoredMessage:
            _, _, version, content_key, _ = text.split(b"\n", 4)
            return StoredMessage(self._read((message_id, text)), int(version), content_key.decode())

        return decode(text, read, lambda _: message_name(session_id, message_id))

    def record(self, session_id: str, message_id: str, text: bytes) -> MessageRecord:
        """Raises `Corrupt` (ERR-4)."""
        return decode((message_id, text), self._read, lambda _: message_name(session_id, message_id))

    def records(self, session_id: str, found: Sequence[Sequence[bytes]]) -> list[MessageRecord]:
        """From a list of ids and a list of records. Raises `Corrupt` (ERR-4)."""
        ids, texts = found
        pairs = zip(map(bytes.decode, ids), texts, strict=True)
        return decode_all(pairs, self._read, lambda pair: message_name(session_id, pair[0]))

    def _read(self, message: tuple[str, bytes | None]) -> MessageRecord:
        message_id, text = message
        if text is None:
            raise LookupError("the log names it, and it does not exist")
        seq, created_at, _, _, role, payload = text.split(b"\n", 5)
        if payload.startswith(_FRAME):
            payload = self._compression.unpack(payload)
        return MessageRecord(
            id=message_id,
            seq=int(seq),
            role=role.decode(),
            payload=payload.decode(),
            created_at=_YEAR_ONE + _MICROSECOND * int(created_at),
        )
