"""What passes between core and an adapter: values that core has validated, scoped and encoded already.

JSON travels as text that an adapter stores byte for byte. Times are aware UTC datetimes with microseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, TypedDict

from msgspec import Struct

from agentkeep.models import Status

MAX_SEQ = 2**53 - 1
"""Seqs, versions and counters fit every database's integer, doubles included (Redis' Lua has no other number)."""

MAX_COUNTERS = 64
"""Counters of one session (CNT-2)."""

Stored = Literal["conflict", "skip"]
"""What an append does with messages that the session holds already (IDEM-1, IDEM-3)."""


class Scope(NamedTuple):
    """Whose data a call may see: one tenant's, or, if `user_id` is given, one user's of it (ISO-1)."""

    tenant: str
    user_id: str | None = None


class SessionDraft(Struct, frozen=True, kw_only=True):
    """A session to create. The adapter adds the times, and counters at 0."""

    id: str
    user_id: str | None
    agent_name: str | None
    title: str | None
    state: str
    metadata: str
    labels: tuple[str, ...]
    """One opaque text of at most 128 bytes for each filterable entry of `metadata`; at most 2,000."""
    parent_id: str | None
    schema_version: int | None
    ttl: timedelta | None
    """`ends_at` becomes now + ttl. None: no fixed end."""
    idle_ttl: timedelta | None
    version: int
    """The version to begin with. Core draws it at random, so that no version is given to two lives of an id (SES-2)."""


class SessionRecord(Struct, frozen=True, kw_only=True):
    """A stored session. The fields are those of `models.Session`, with `state` and `metadata` as JSON text."""

    id: str
    user_id: str | None
    agent_name: str | None
    title: str | None
    status: Status
    current_route: str | None
    current_step: str | None
    state: str
    metadata: str
    counters: Mapping[str, int]
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
    ends_at: datetime | None
    idle_ttl: timedelta | None
    expires_at: datetime | None


class SessionChanges(TypedDict, total=False):
    """The fields that an update names; the others are kept (SES-2). `metadata` always comes with its `labels`.

    `status`: the adapter also sets `completed_at`, for "completed" to now unless it is set already, else to None.
    `ttl`: `ends_at` becomes now + ttl; None takes the fixed end away. `idle_ttl`: None takes the idle time away.
    If one of these two is named, `expires_at` is computed anew (see `expiry`).
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
    ttl: timedelta | None
    idle_ttl: timedelta | None


class Fork(Struct, frozen=True, kw_only=True):
    """A copy of a session to make (SES-5), in one step: the parent is read, judged and copied in one life of it."""

    session_id: str
    new_id: str
    at_seq: int | None
    """Copy the messages with seq <= at_seq; None: all. Larger than the parent's `last_seq`: `InvalidInput`."""
    version: int
    """The copy's first version."""
    changes: SessionChanges | None = None
    """Fields that land with the copy. They do not add to its version."""


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
    """The end of a page: the sort key and the id of its last row. The next page begins strictly after it."""

    at: datetime
    id: str


class MessageDraft(Struct, frozen=True, kw_only=True):
    """A message to store."""

    id: str
    role: str
    payload: str
    """All of the message's content. JSON as core writes it; a wrapper may put other text in its place (WRAP-1)."""
    content_key: str
    """Equal if and only if role and content are equal: 22 ASCII letters. IDEM-1 and `replace` compare it alone."""
    search_text: str
    """What a search looks at, folded (see `agentkeep.spi.text`); empty if the adapter does not declare `search`."""
    created_at: datetime | None
    """None: the time of the append."""


class RestoredMessage(MessageDraft, frozen=True, kw_only=True):
    """A message to store as it once was, with the seq that it had. Its `created_at` is never None."""

    seq: int


class MessageRecord(Struct, frozen=True, kw_only=True):
    """A stored message."""

    id: str
    seq: int
    role: str
    payload: str
    created_at: datetime


class Append(Struct, frozen=True, kw_only=True):
    """One whole append (ORD-6). An adapter does these steps in this order, and the first that fails decides:

    1. The session. If it is absent or expired: with `create` it is made from that (counters at 0, an empty log), else
       `SessionNotFound`. A living one that the scope may not see is `SessionNotFound`, with `create`
       `AlreadyExists`. If `create` names a user and the living session has another or none: `AlreadyExists` (ISO-4).
    2. The ids of `messages`. "conflict": if all are stored with equal content keys, the stored messages are the result
       and nothing else happens (`new` is 0; `version` and `last_seq` are those that the first call returned); if some
       are stored, or one with another content key: `Conflict` of kind "batch" or "message_id" (IDEM-1).
       "skip": messages whose ids are stored are left out, whatever their content. If messages were given and none is
       new, nothing else happens (IDEM-3).
    3. `expected_version`, `expected_last_seq`: `Conflict` of kind "version" or "last_seq" (ORD-4). A session that this
       call makes has version 0 and last seq 0 for this comparison (SES-7).
    4. Messages after `truncate_after` go; the new ones are stored with the next seqs; `changes` are set and add 1 to
       the version, as an update does; `add` is added to the counters (`LimitExceeded`: see `spi.outcomes.added`); all
       but the newest `keep_last` messages go; counts, times and expiry are brought up to date.

    If any step raises, nothing of the call is stored, the session of step 1 included.
    """

    session_id: str
    messages: Sequence[MessageDraft]
    """May be empty."""
    may_be_stored: bool
    """Whether an id may be stored already, as callers choose ids. If not, the search for them may be left out; but if a
    record is sent twice, the second must be answered as a repetition or as `OutcomeUnknown` (IDEM-2)."""
    create: SessionDraft | None = None
    stored: Stored = "conflict"
    changes: SessionChanges | None = None
    add: Mapping[str, int] | None = None
    expected_version: int | None = None
    expected_last_seq: int | None = None
    truncate_after: int | None = None
    keep_last: int | None = None

    @property
    def has_options(self) -> bool:
        """Whether it does or checks anything beyond the session's existence and the messages' ids."""
        given = (self.create, self.changes, self.add, self.expected_version, self.expected_last_seq)
        return (*given, self.truncate_after, self.keep_last) != (None,) * 7

    @property
    def is_repeatable(self) -> bool:
        """Whether a second run of it returns what the first did, because its ids are all still stored then (IDEM-1).

        If not, an append whose reply was lost must not be sent again: it is `OutcomeUnknown` (ERR-2).
        """
        return bool(self.messages) and (self.keep_last is None or self.keep_last >= len(self.messages))


class AppendedRecord(NamedTuple):
    """The result of an append.

    An adapter stores with each message the session's version as of the commit that stored it. So a repeated call
    returns the first call's `version`, and its `last_seq` is the seq of its last message (IDEM-1). If only some of a
    call's messages are new ("skip"), both are those of this commit; if none is new, those of the newest of the stored.
    """

    messages: Sequence[MessageRecord]
    """The stored message for each of the call's, in the call's order."""
    version: int
    last_seq: int
    new: int
    """How many messages this sending stored: 0 if an earlier one of the same record, without an answer, stored them."""


class ResumedRecord(NamedTuple):
    """A session and the newest of its messages, read at one moment."""

    session: SessionRecord
    messages: Sequence[MessageRecord]
    """Newest first."""


class MessageRange(Struct, frozen=True, kw_only=True):
    """Messages with `after` < seq < `before`, in order of seq, the first `limit` of them."""

    after: int = 0
    before: int | None = None
    limit: int
    newest_first: bool = False


class SearchQuery(Struct, frozen=True, kw_only=True):
    """A search over messages (SRCH-1): those whose search text contains each of `words`.

    The words are folded as the search text is, distinct, longest first. They are data, never a server's query syntax.
    """

    words: tuple[str, ...]
    """At least one."""
    session_id: str | None = None
    user_id: str | None = None
    """The session's user, as `agent_name` is the session's agent."""
    agent_name: str | None = None
    role: str | None = None
    limit: int


class HitRecord(NamedTuple):
    """One result of a search; a higher `score` is better."""

    session_id: str
    message: MessageRecord
    score: float


def expiry(ends_at: datetime | None, idle_ttl: timedelta | None, now: datetime) -> datetime | None:
    """When a session expires that is used at `now`: the earlier of its fixed end and now + idle_ttl (TTL-3).

    `now` is the moment that becomes `updated_at`, which never goes back; so use never shortens a life. Each append that
    stores or changes something and each touch computes it anew, and an update that names `ttl` or `idle_ttl`.
    """
    idle_end = None if idle_ttl is None else now + idle_ttl
    if ends_at is None or idle_end is None:
        return idle_end if ends_at is None else ends_at
    return min(ends_at, idle_end)


def new_session(draft: SessionDraft, now: datetime) -> SessionRecord:
    """The record of a session that begins now: active, with an empty log and no counters."""
    ends_at = None if draft.ttl is None else now + draft.ttl
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
        counters={},
        parent_id=draft.parent_id,
        forked_at_seq=None,
        version=draft.version,
        schema_version=draft.schema_version,
        message_count=0,
        last_seq=0,
        created_at=now,
        updated_at=now,
        last_message_at=None,
        completed_at=None,
        ends_at=ends_at,
        idle_ttl=draft.idle_ttl,
        expires_at=expiry(ends_at, draft.idle_ttl, now),
    )
