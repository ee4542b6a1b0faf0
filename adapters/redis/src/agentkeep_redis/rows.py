"""Records as Redis stores them: a session is a hash of texts, a message one text, a time 18 digits (see lua/*.lua)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any, NamedTuple, cast

from agentkeep.errors import ConfigurationError, Corrupt
from agentkeep.models import Status
from agentkeep.records import MessageDraft, MessageRecord, Scope, SessionChanges, SessionQuery, SessionRecord

from agentkeep_redis.keys import facet

YEAR_ONE = datetime(1, 1, 1, tzinfo=UTC)
_DAY = 86_400
_OWN_FIELDS = (
    *("user_id", "agent_name", "title", "current_route", "current_step", "parent_id", "forked_at_seq"),
    *("schema_version", "status", "state", "metadata", "version"),
)
_NEVER = b"-" * 18
_NO_FACET = "-" * 16
_FACET_NUMBERS = {"all": 1, "user": 2, "agent": 3, "status": 4, "parent": 5}
"""Each of these has a fixed position in a session's facets; the labels' facets follow them (see lua/index.lua)."""
_LABELS_AT = 16 * len(_FACET_NUMBERS)
_FACETS_AT = 70

_FRAME = b"\x28\xb5\x2f\xfd"
"""A zstd frame begins with it; a JSON payload begins with `{`."""

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

    def unpack(self, stored: bytes, name: str) -> bytes:
        """Raises `Corrupt` naming the record; `ConfigurationError` if the library is missing."""
        if not stored.startswith(_FRAME):
            return stored
        self._zstd = self._zstd or _zstd_library()
        try:
            return self._zstd.ZstdDecompressor().decompress(stored)
        except self._zstd.ZstdError as error:
            raise Corrupt(name, str(error)) from error


def _zstd_library() -> Any:
    try:
        return import_module("zstandard")
    except ImportError as error:
        raise ConfigurationError(
            'messages compressed by zstd need a library: pip install "agentkeep-redis[zstd]"'
        ) from error


def time_text(time: datetime) -> str:
    """18 digits, exact from the year 1 to 9999, that sort as the times do."""
    since = time - YEAR_ONE
    return f"{since.days * _DAY + since.seconds:012d}{since.microseconds:06d}"


def text_time(text: bytes) -> datetime:
    return YEAR_ONE + timedelta(seconds=int(text[:12]), microseconds=int(text[12:]))


def span(duration: timedelta | None) -> tuple[int, int] | None:
    """Seconds and microseconds, as the scripts add them to a time."""
    return None if duration is None else (duration.days * _DAY + duration.seconds, duration.microseconds)


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
    fields: Fields = dict(zip(flat[::2], flat[1::2], strict=True))
    try:
        row = fields[b"row"]
        facets = row[_FACETS_AT:].decode()
        record = _session_record(session_id, fields, row)
        return StoredSession(record, int(row[:16]), row, _split(facets), facets[_LABELS_AT:])
    except (KeyError, ValueError, OverflowError) as error:
        raise Corrupt(f"session {session_id!r}", str(error)) from error


def _session_record(session_id: str, fields: Fields, row: bytes) -> SessionRecord:
    last_seq, message_count, last_message_at = fields[b"counts"].split(b" ")
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


def session_fields(record: SessionRecord) -> list[str]:
    """Names and values in turn, without `row` and `counts`."""
    fields = {name: getattr(record, name) for name in _OWN_FIELDS}
    if record.completed_at is not None:
        fields["completed_at"] = time_text(record.completed_at)
    return [str(part) for pair in fields.items() if pair[1] is not None for part in pair]


def session_counts(record: SessionRecord) -> str:
    """The field `counts` (see lua/common.lua)."""
    at = "" if record.last_message_at is None else time_text(record.last_message_at)
    return f"{record.last_seq} {record.message_count} {at}"


def change_options(changes: SessionChanges) -> dict[str, Any]:
    """What an update sets, names and values in turn, what it removes, and the facets that it changes."""
    values = {name: value for name, value in changes.items() if name != "labels"}
    options: dict[str, Any] = {
        "changed": True,
        "set": [str(part) for pair in values.items() if pair[1] is not None for part in pair],
        "unset": [name for name, value in values.items() if value is None],
        "status": changes.get("status"),
    }
    facets: dict[int, str] = {}
    if "user_id" in changes:
        facets[_FACET_NUMBERS["user"]] = _facet("user", changes["user_id"])
    if "agent_name" in changes:
        facets[_FACET_NUMBERS["agent"]] = _facet("agent", changes["agent_name"])
    if "status" in changes:
        facets[_FACET_NUMBERS["status"]] = _facet("status", changes["status"])
    if facets:
        options["facets"] = facets
    if "labels" in changes:
        options["labels"] = label_facets(changes["labels"])
    return options


def facets_of(record: SessionRecord, labels: str) -> str:
    """All facets of a new session, as its hash and its row of the index contain them."""
    values = {
        "all": "",
        "user": record.user_id,
        "agent": record.agent_name,
        "status": record.status,
        "parent": record.parent_id,
    }
    return "".join(_facet(kind, values[kind]) for kind in _FACET_NUMBERS) + labels


def label_facets(labels: Sequence[str]) -> str:
    return "".join(facet("label", label) for label in dict.fromkeys(labels))


def query_facets(user_id: str | None, query: SessionQuery) -> list[str] | None:
    """All facets that a session must have. None: nothing can match, as a user's view asked for another user's."""
    if user_id is not None and query.user_id not in (None, user_id):
        return None
    values = {
        "user": user_id or query.user_id,
        "agent": query.agent_name,
        "status": query.status,
        "parent": query.parent_id,
    }
    wanted = [facet(kind, value) for kind, value in values.items() if value is not None]
    wanted += [facet("label", label) for label in query.labels]
    return wanted or [facet("all", "")]


def _facet(kind: str, value: str | None) -> str:
    return _NO_FACET if value is None else facet(kind, value)


def user_facet(scope: Scope) -> str | None:
    """The facet of a user's view."""
    return None if scope.user_id is None else facet("user", scope.user_id)


def _split(facets: str) -> frozenset[str]:
    return frozenset(facets[at : at + 16] for at in range(0, len(facets), 16))


def message_body(draft: MessageDraft | MessageRecord, compression: Compression) -> bytes:
    """What follows seq and time in a message's record. No role contains a line break."""
    return draft.role.encode() + b"\n" + compression.pack(draft.payload.encode())


def message_text(record: MessageRecord, compression: Compression) -> bytes:
    """A whole record: seq, time, role and payload, with a line break between each two."""
    return b"%d\n%b\n%b" % (record.seq, time_text(record.created_at).encode(), message_body(record, compression))


def message_record(session_id: str, message_id: bytes, text: bytes | None, compression: Compression) -> MessageRecord:
    """Raises `Corrupt` (ERR-4)."""
    name = f"message {message_id!r} of session {session_id!r}"
    if text is None:
        raise Corrupt(name, "the log names it, and it does not exist")
    try:
        seq, created_at, role, payload = text.split(b"\n", 3)
        return MessageRecord(
            id=message_id.decode(),
            seq=int(seq),
            role=role.decode(),
            payload=compression.unpack(payload, name).decode(),
            created_at=text_time(created_at),
        )
    except (ValueError, OverflowError) as error:
        raise Corrupt(name, str(error)) from error
