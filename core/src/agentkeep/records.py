"""What passes between core and an adapter: values that core has validated, scoped and encoded already.

JSON travels as text that an adapter stores byte for byte; times are aware UTC datetimes with microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, TypedDict

from msgspec import Struct

from agentkeep.models import Status

MAX_SEQ = 2**53 - 1
"""Seqs, versions and counters fit every database's integer, doubles included (Redis's Lua has no other number)."""


class Scope(NamedTuple):
    """Whose data a call may see: one tenant's, and of it one user's alone where `user_id` is given (ISO-1)."""

    tenant: str
    user_id: str | None = None


class SessionDraft(Struct, frozen=True, kw_only=True):
    """A session to create. The adapter adds the times, counters at 0 and version 1."""

    id: str
    user_id: str | None
    agent_name: str | None
    title: str | None
    state: str
    metadata: str
    labels: tuple[str, ...]
    """One opaque text of at most 128 bytes for each filterable entry of `metadata` (see `agentkeep._labels`)."""
    parent_id: str | None
    schema_version: int | None
    ttl: timedelta | None
    """Set `expires_at` to now + ttl; None: never expires."""


class SessionRecord(Struct, frozen=True, kw_only=True):
    """A stored session. The fields are `models.Session`'s, with `state` and `metadata` as JSON text."""

    id: str
    user_id: str | None
    agent_name: str | None
    title: str | None
    status: Status
    current_route: str | None
    current_step: str | None
    state: str
    metadata: str
    parent_id: str | None
    forked_at_seq: int | None
    version: int
    schema_version: int | None
    message_count: int
    last_seq: int
    created_at: datetime
    updated_at: datetime
    last_message_at: datetime | None
    completed_at: datetime | None
    expires_at: datetime | None


def begun(draft: SessionDraft, now: datetime) -> SessionRecord:
    """The record of a session that begins now: active, of version 1, with an empty log."""
    return SessionRecord(
        id=draft.id,
        user_id=draft.user_id,
        agent_name=draft.agent_name,
        title=draft.title,
        status="active",
        current_route=None,
        current_step=None,
        state=draft.state,
        metadata=draft.metadata,
        parent_id=draft.parent_id,
        forked_at_seq=None,
        version=1,
        schema_version=draft.schema_version,
        message_count=0,
        last_seq=0,
        created_at=now,
        updated_at=now,
        last_message_at=None,
        completed_at=None,
        expires_at=None if draft.ttl is None else now + draft.ttl,
    )


class SessionChanges(TypedDict, total=False):
    """The fields that an update names; the others are kept (SES-2). `metadata` always comes with its `labels`.

    With `status` the adapter also sets `completed_at`: for "completed" to now unless it is set already, else to None.
    """

    user_id: str | None
    agent_name: str | None
    title: str | None
    status: Status
    current_route: str | None
    current_step: str | None
    state: str
    metadata: str
    labels: tuple[str, ...]
    schema_version: int | None


class SessionQuery(Struct, frozen=True, kw_only=True):
    """Which sessions of a scope: all given conditions hold; None is no condition. Both time bounds are excluded."""

    user_id: str | None = None
    agent_name: str | None = None
    status: Status | None = None
    parent_id: str | None = None
    labels: tuple[str, ...] = ()
    """The session has all of these labels."""
    updated_after: datetime | None = None
    updated_before: datetime | None = None


class SessionOrder(NamedTuple):
    """By `field` and then, so that ties have an order too, by id (in bytes), both in the same direction."""

    field: Literal["updated_at", "created_at"]
    descending: bool


class SessionPosition(NamedTuple):
    """Where a page ended: the sort key and the id of its last row. The next page begins strictly behind it."""

    at: datetime
    id: str


class MessageDraft(Struct, frozen=True, kw_only=True):
    """A message to append. `payload` is the JSON text of all its content; IDEM-1 compares role and payload."""

    id: str
    role: str
    payload: str
    created_at: datetime | None
    """None: the time of the append."""


class MessageRecord(Struct, frozen=True, kw_only=True):
    """A stored message."""

    id: str
    seq: int
    role: str
    payload: str
    created_at: datetime


class Append(Struct, frozen=True, kw_only=True):
    """One whole append (ORD-6). An adapter looks at things in this order, and the first that fails decides:

    1. the session: absent, expired or foreign is `SessionNotFound`;
    2. where `caller_ids`, the ids (IDEM-1): all stored with equal role and payload: the stored records are the answer
       and nothing else happens; some stored, or stored with other content: `Conflict`;
    3. `expected_version`, `expected_last_seq`: `Conflict`;
    4. messages after `truncate_after` go; the new ones are stored with the next seqs; `changes` are set, as by
       an update; all but the newest `keep_last` messages go; counters, times and expiry are brought up to date.
    """

    session_id: str
    messages: Sequence[MessageDraft]
    """May be empty, where one of the options below is given."""
    caller_ids: bool
    """Whether any id comes from the caller. If not, all are fresh and looking for them may be left out."""
    changes: SessionChanges | None = None
    expected_version: int | None = None
    expected_last_seq: int | None = None
    truncate_after: int | None = None
    keep_last: int | None = None
    idle_ttl: timedelta | None = None
    """Where given, `expires_at` becomes the later of what it is and now + idle_ttl (TTL-1)."""

    @property
    def is_repeatable(self) -> bool:
        """Whether a second run of it is answered as the first was, as its ids are all still stored then (IDEM-1).

        If not, an append whose answer was lost must not be sent again: it is `OutcomeUnknown` (ERR-2).
        """
        return bool(self.messages) and (self.keep_last is None or self.keep_last >= len(self.messages))


class MessageRange(Struct, frozen=True, kw_only=True):
    """Messages with `after` < seq < `before`, in order of seq, the first `limit` of them."""

    after: int = 0
    before: int | None = None
    limit: int
    newest_first: bool = False


class SearchQuery(Struct, frozen=True, kw_only=True):
    """A search over messages: `text` is data, never the server's query syntax (SRCH-1)."""

    text: str
    session_id: str | None = None
    user_id: str | None = None
    """The session's user, as `agent_name` is the session's agent."""
    agent_name: str | None = None
    role: str | None = None
    limit: int


class HitRecord(Struct, frozen=True, kw_only=True):
    """One finding of a search."""

    session_id: str
    message: MessageRecord
    score: float
    highlights: list[str]
