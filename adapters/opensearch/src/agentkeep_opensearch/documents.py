"""Documents to records, and records to what the requests carry. A time is microseconds since 1970."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from agentkeep.models import Status
from agentkeep.records import MessageDraft, MessageRecord, RestoredMessage, SessionRecord
from agentkeep.spi.decode import decode, message_name, session_name
from msgspec import Struct
from msgspec.structs import asdict, replace

from agentkeep_opensearch import log
from agentkeep_opensearch.log import Log

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
NEVER = 2**62
"""`expires_at` of a session that does not expire."""
DEAD = -(2**62)
"""`expires_at` of one that is being removed or made: whatever the clock says, it is expired."""
_TOKENS = 16
_TEXT_END = "\n\n"
"""After each text to search, see `search.py`."""


def micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(micros: int) -> datetime:
    return _EPOCH + _MICROSECOND * micros  # exact, and cheaper than a duration made from an integer


class Message(Struct, frozen=True, kw_only=True):
    """A message as it is stored."""

    id: str
    seq: int
    role: str
    payload: str
    content_key: str
    search_text: str
    """With `_TEXT_END`."""
    created_at: int
    version: int
    """The session's version as of the append that stored it."""

    def record(self) -> MessageRecord:
        return MessageRecord(
            id=self.id, seq=self.seq, role=self.role, payload=self.payload, created_at=moment_of(self.created_at)
        )


class _StoredSession(Struct, frozen=True, kw_only=True):
    """The `_source` of a session. Defaults stand for what a request left out."""

    tenant: str
    id: str
    user_id: str | None
    agent_name: str | None
    title: str | None
    status: Status
    current_route: str | None
    current_step: str | None
    state: str = ""
    metadata: str = ""
    labels: tuple[str, ...] | None = None
    counters: dict[str, int]
    parent_id: str | None
    forked_at_seq: int | None
    version: int
    schema_version: int | None
    message_count: int
    last_seq: int
    created_at: int
    updated_at: int
    last_message_at: int | None
    completed_at: int | None
    ends_at: int | None
    idle_ttl: int | None
    expires_at: int
    log: tuple[tuple[int, int], ...] = ()
    life: int
    tokens: tuple[str, ...]
    cuts: tuple[tuple[int, int], ...]
    is_dirty: bool
    is_extending: bool = False
    newest_id: str | None = None
    pending: tuple[Message, ...] = ()


class Session(Struct, frozen=True, kw_only=True):
    """A session's document: its record, and what only the adapter looks at."""

    tenant: str
    key: str
    record: SessionRecord
    """Without `state` and `metadata` if the request left them out."""
    labels: tuple[str, ...] | None
    """None if the request left them out: an update that takes all labels away is a change nevertheless."""
    life: int
    """Differs between two sessions of the same id, and grows from one to the next."""
    log: Log
    """Empty if the request left it out."""
    pending: tuple[Message, ...]
    """The newest messages, as long as nobody knows that they have documents of their own."""
    tokens: tuple[str, ...]
    """Of the newest commits, so that a writer who got no answer finds out whether his landed."""
    cuts: Log
    """Seqs that were removed from the log, and may still have documents."""
    is_dirty: bool
    """A verb is under way that ends after its commit; if it was killed, a sweep does the rest."""
    is_extending: bool = False
    """A commit that lets it live longer may be on its way: if it has expired, a reader buries it."""
    newest_id: str | None = None
    """No id of the form of core's own that the session ever held is greater. None: not known."""
    is_dead: bool = False

    def is_expired(self, now: datetime) -> bool:
        expires_at = self.record.expires_at
        return self.is_dead or (expires_at is not None and expires_at <= now)


class Loaded(NamedTuple):
    """A session's document as of one moment. Both numbers are for a compare-and-swap."""

    session: Session
    seq_no: int
    primary_term: int


def session_of(key: str, source: Mapping[str, Any]) -> Session:
    """Raises `Corrupt`."""
    return decode(source, lambda found: _session(key, found), lambda found: session_name(found.get("id", key)))


def _session(key: str, source: Mapping[str, Any]) -> Session:
    stored = msgspec.convert(source, _StoredSession)
    is_dead = stored.expires_at == DEAD
    record = SessionRecord(
        id=stored.id,
        user_id=stored.user_id,
        agent_name=stored.agent_name,
        title=stored.title,
        status=stored.status,
        current_route=stored.current_route,
        current_step=stored.current_step,
        state=stored.state,
        metadata=stored.metadata,
        counters=stored.counters,
        parent_id=stored.parent_id,
        forked_at_seq=stored.forked_at_seq,
        version=stored.version,
        schema_version=stored.schema_version,
        message_count=stored.message_count,
        last_seq=stored.last_seq,
        created_at=moment_of(stored.created_at),
        updated_at=moment_of(stored.updated_at),
        last_message_at=_maybe_moment(stored.last_message_at),
        completed_at=_maybe_moment(stored.completed_at),
        ends_at=_maybe_moment(stored.ends_at),
        idle_ttl=None if stored.idle_ttl is None else timedelta(microseconds=stored.idle_ttl),
        expires_at=None if is_dead or stored.expires_at == NEVER else moment_of(stored.expires_at),
    )
    return Session(
        tenant=stored.tenant,
        key=key,
        record=record,
        labels=stored.labels,
        life=stored.life,
        log=stored.log,
        pending=stored.pending,
        tokens=stored.tokens,
        cuts=stored.cuts,
        is_dirty=stored.is_dirty,
        is_extending=stored.is_extending,
        newest_id=stored.newest_id,
        is_dead=is_dead,
    )


def _maybe_moment(micros: int | None) -> datetime | None:
    return None if micros is None else moment_of(micros)


def _maybe_micros(moment: datetime | None) -> int | None:
    return None if moment is None else micros(moment)


def fields_of(session: Session) -> dict[str, Any]:
    """The `_source` without `pending`."""
    record = session.record
    expires_at = NEVER if record.expires_at is None else micros(record.expires_at)
    return asdict(record) | {
        "tenant": session.tenant,
        "labels": session.labels,
        "counters": dict(record.counters),
        "created_at": micros(record.created_at),
        "updated_at": micros(record.updated_at),
        "last_message_at": _maybe_micros(record.last_message_at),
        "completed_at": _maybe_micros(record.completed_at),
        "ends_at": _maybe_micros(record.ends_at),
        "idle_ttl": None if record.idle_ttl is None else record.idle_ttl // _MICROSECOND,
        "expires_at": DEAD if session.is_dead else expires_at,
        "held_until": 0,
        "log": session.log,
        "life": session.life,
        "tokens": session.tokens,
        "cuts": session.cuts,
        "is_dirty": session.is_dirty or bool(session.cuts),
        "is_extending": session.is_extending,
        "newest_id": session.newest_id,
    }


_ANY_SEQ = 2**62


def with_token(after: Session, before: Session, token: str) -> Session:
    """After the commit of `token`."""
    return replace(after, tokens=(*before.tokens, token)[-_TOKENS:])


def commit_params(before: Session, after: Session, token: str) -> dict[str, Any]:
    """What the script `commit` needs: the fields that changed, and what becomes of the pending messages."""
    old = fields_of(before)
    new = fields_of(with_token(after, before, token))
    del old["log"], new["log"]
    known = {message.seq for message in before.pending}
    still = [message.seq for message in after.pending if message.seq in known]
    if after.is_dead:  # who removes it must know them all, and this caller may not have read them
        still = [0, _ANY_SEQ]
    return {
        "fields": {name: value for name, value in new.items() if value != old[name]},
        "first": min(still, default=0),
        "last": max(still, default=-1),
        "added": [message for message in after.pending if message.seq not in known],
        "log": _log_params(before, after),
    }


def _log_params(before: Session, after: Session) -> dict[str, Any] | None:
    """How the log changed. A log that was cut often is long, so a commit never sends it whole (COST-2)."""
    if after.log == before.log:
        return None
    last_seq = before.record.last_seq
    kept = log.clip(after.log, 0, last_seq)
    first, last = (kept[0][0], kept[-1][1]) if kept else (1, 0)
    return {"first": first, "last": last, "added": log.clip(after.log, last_seq + 1)}


def whole_source(session: Session, token: str) -> dict[str, Any]:
    fields = fields_of(with_token(session, session, token))
    return {**fields, "pending": session.pending}


def with_content(message: Message, draft: MessageDraft) -> Message:
    """A message with the content of a draft."""
    return replace(
        message,
        role=draft.role,
        payload=draft.payload,
        content_key=draft.content_key,
        search_text=_search_text(draft),
    )


def _search_text(draft: MessageDraft) -> str:
    return draft.search_text + _TEXT_END


def message_of(draft: MessageDraft, *, seq: int, version: int, now: datetime) -> Message:
    return Message(
        id=draft.id,
        seq=seq,
        role=draft.role,
        payload=draft.payload,
        content_key=draft.content_key,
        search_text=_search_text(draft),
        created_at=micros(draft.created_at or now),
        version=version,
    )


def restored(messages: Sequence[RestoredMessage], version: int, now: datetime) -> list[Message]:
    return [message_of(each, seq=each.seq, version=version, now=now) for each in messages]


def stored_message(session_id: str, source: Mapping[str, Any]) -> Message:
    """Raises `Corrupt`."""
    return decode(
        source,
        lambda found: msgspec.convert(found, Message),
        lambda found: message_name(session_id, found.get("id", f"with seq {found.get('seq')}")),
    )
