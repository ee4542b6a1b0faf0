"""What an adapter is: three protocols, and the clauses that it promises to keep.

Core validates, encodes and scopes every call before it gets here (`agentkeep.records`), so an adapter turns a verb into
one statement of its database and a row into a record. Each clause stands below as `[NAME-N]`, and each is proved by
tests of `agentkeep-conformance`; the build fails where one has none. Errors are those of `agentkeep.errors` alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any, Protocol, runtime_checkable

from agentkeep.capabilities import Capabilities
from agentkeep.models import Health
from agentkeep.records import (
    Append,
    HitRecord,
    MessageRange,
    MessageRecord,
    Scope,
    SearchQuery,
    SessionChanges,
    SessionDraft,
    SessionOrder,
    SessionPosition,
    SessionQuery,
    SessionRecord,
)


class SessionRepository(Protocol):
    """The sessions of one database.

    [SES-1] `create` of an existing id raises `AlreadyExists` and changes nothing; `get_or_create` has one winner
        however many race.
    [SES-2] `update` with `expected_version` is compare-and-swap: one winner, the rest get `Conflict(expected, actual)`.
        Without it, fields named are set and fields not named are kept: no lost update of another field.
    [SES-3] `created_at` never changes. `status="completed"` sets `completed_at`.
    [SES-4] Append to an absent, expired or deleted session raises `SessionNotFound`; nothing resurrects it. A new
        `create` of its id is a new session, empty, from seq 1.
    [SES-5] `fork` copies the log up to `at_seq` (ids and seq kept; user, agent, state, metadata and schema version
        copied; `parent_id` and `forked_at_seq` set) in work bounded by what is copied, and never changes the parent.
    [SES-6] `delete` removes the session, its messages, index entries and search entries; a raw scan of the server finds
        no trace of it afterwards.
    [READ-2] Pages by cursor are stable: with inserts, updates and deletes between pages, each row whose sort key stays
        is met exactly once (ties included), and no row is met twice in the same version. A cursor that is none, or is
        another query's or scope's, is `InvalidInput`.
    [READ-5] Listing sessions reads no messages, and costs the same among 1,000,000 sessions as among 1,000.
    """

    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        """Create a session, or with `or_get` return the living one of that id (SES-1, SES-4).

        What an expired session of that id left behind is removed in the same step.
        Raises `AlreadyExists`; with `or_get`, `SessionNotFound` where it is outside `scope.user_id` (ISO-1).
        """
        ...

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        """Raises `SessionNotFound`."""
        ...

    async def update(
        self, scope: Scope, session_id: str, changes: SessionChanges, *, expected_version: int | None
    ) -> SessionRecord:
        """Set the named fields, add 1 to `version`, set `updated_at` (SES-2, SES-3).

        Raises `SessionNotFound`, `Conflict`.
        """
        ...

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:
        """The first `limit` living sessions behind `after` (READ-2, READ-5). `limit` is 1 to 1,001."""
        ...

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        """How many living sessions match, exactly (ORD-5)."""
        ...

    async def touch(
        self, scope: Scope, session_id: str, *, ttl: timedelta | None, idle_ttl: timedelta | None
    ) -> SessionRecord:
        """Set `updated_at`; with `ttl`, `expires_at` becomes now + ttl; else, with `idle_ttl`, it slides (TTL-1).

        Raises `SessionNotFound`.
        """
        ...

    async def fork(
        self, scope: Scope, session_id: str, *, at_seq: int, new_id: str, ttl: timedelta | None
    ) -> SessionRecord:
        """Copy a session and its messages with seq <= `at_seq` (SES-5). The copy's `last_seq` is `at_seq`.

        The copy is active, of version 1, and expires `ttl` from now; without `ttl`, when the parent does.
        Raises `SessionNotFound`, `AlreadyExists` (of `new_id`).
        """
        ...

    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[MessageRecord]
    ) -> None:
        """Store a session with its whole log as it once was: each field, seq and time as given, all or nothing.

        For imports and copies. What an expired session of that id left behind is removed in the same step.
        Raises `AlreadyExists` (SES-1).
        """
        ...

    async def delete(self, scope: Scope, session_id: str) -> bool:
        """Remove a session and all that belongs to it (SES-6). False where there was none alive."""
        ...

    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        """Remove up to `limit` matching sessions, as `delete` does, and say how many; 0 when none is left."""
        ...


class MessageRepository(Protocol):
    """The messages of one database: an append-only log for each session, that may be cut at both ends.

    [ORD-1] Appends to one session form one total order, given by `seq`: 1, 2, 3, …, assigned by the adapter inside the
        append, never from a clock. A removed message's `seq` is never given again.
    [ORD-2] An `append` of many messages is all or nothing, and its messages are adjacent, in the given order.
    [ORD-3] No late arrivals: a reader who has seen `seq` n never later meets a new message with a smaller one. So
        `after=seq` is a correct cursor.
    [ORD-4] Appends never conflict with one another, in any number of tasks, processes or hosts. With
        `expected_last_seq` or `expected_version` a stale writer gets `Conflict`, and nothing of its call lands.
    [ORD-5] A reader sees its own completed writes at once, and so does every other reader of the same server (on
        replicas: where the adapter's page says so). Listing and counting sessions included.
    [ORD-6] What one `append` does (messages, `update`, `truncate_after`, `keep_last`) lands together or not at all.
    [IDEM-1] A message's id is an idempotency key in its session: appending the same id with the same content again
        changes nothing and returns the stored message; with other content (`1` against `1.0` is other), `Conflict`. It
        is looked at before `expected_*` and `update`, so a call repeated whole, for whatever reason, is answered as the
        first one was. A batch of which only some ids are stored is `Conflict`, an id twice in one batch `InvalidInput`;
        a removed message's id is free again. Equal content under another id is another message.
    [CNT-1] `message_count`, `last_seq`, `last_message_at` and `updated_at` are exact after every append, truncate,
        trim, pop and clear, under concurrency too.
    [READ-1] No implicit cap: without `limit`, `iterate` yields all; a page always says `has_more`. `limit` outside
        1…1,000 is `InvalidInput`, the same on every backend.
    [READ-3] `tail` and `list` of a session of 100,000 messages cost what they cost at 100.
    [READ-4] `tail(whole_turns=True)` never starts inside a tool exchange: no tool result without its call, no call
        without its results, if the log has them.
    """

    async def append(self, scope: Scope, append: Append) -> list[MessageRecord]:
        """Do all that `append` says, in one step, in the order that `records.Append` states (ORD-1…6, IDEM-1, CNT-1).

        Raises `SessionNotFound`, `Conflict`.
        """
        ...

    async def replace(
        self, scope: Scope, session_id: str, message_id: str, *, role: str, payload: str, expected: MessageRecord
    ) -> MessageRecord | None:
        """Give a message another role and payload if it still has `expected`'s; None where it has not.

        `seq` and `created_at` stay; the session's `updated_at` is set.
        Raises `SessionNotFound`, `MessageNotFound`.
        """
        ...

    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> list[MessageRecord]:
        """The messages of a range (READ-1, READ-3, ORD-3). Raises `SessionNotFound`."""
        ...

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        """Raises `SessionNotFound`, `MessageNotFound`."""
        ...

    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        """Remove the messages with a greater seq and say how many (CNT-1). Raises `SessionNotFound`."""
        ...

    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        """Remove all but the newest `keep_last` messages and say how many went (CNT-1). Raises `SessionNotFound`."""
        ...

    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        """Remove and return the newest message; each goes to one caller (CNT-1). Raises `SessionNotFound`."""
        ...


class SupportsSearch(Protocol):
    """A message repository whose adapter declares `search`.

    [SRCH-1] Search finds a message as soon as its append returned; never a deleted or expired one; any query text is
        legal (quotes, `*`, `-`, CJK).
    """

    async def search(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        """The best hits first. Words that stand apart in the text must all occur. Raises `SessionNotFound` where
        `session_id` is given and absent."""
        ...


class SupportsWatch(Protocol):
    """A message repository whose adapter declares `watch`.

    [WATCH-1] Watch yields every message after `after_seq` exactly once, in order, also across a reconnect.
    """

    def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        """Messages as they land, until the caller stops. Raises `SessionNotFound`, also once the session is gone."""
        ...


@runtime_checkable
class PersistenceAdapter(Protocol):
    """One database. Its constructor does no I/O and takes a ready client, pool or engine, which stays the caller's.

    Fidelity
    [FID-1] Every JSON value round-trips equal: key order, int against float, ints beyond 64 bits, `-0.0`, empty against
        missing against null, keys with `.`, `$`, leading `_`, 1,100 distinct keys, nesting of 25. NaN and infinities
        are refused.
    [FID-2] Every legal Unicode text round-trips, NUL included; lone surrogates are refused, before any write, on every
        backend alike.
    [FID-3] Microseconds round-trip. Naive datetimes are refused.
    [FID-4] What is over a declared limit (`max_message_bytes`, at least 8 MiB everywhere) is refused with
        `LimitExceeded(limit, actual)` before any write.
    [FID-5] What is returned is a value: changing it changes nothing stored, the memory adapter included.

    Time to live
    [TTL-1] `expires_at` is the session's, sliding with each append or `touch` where `idle_ttl` is set; all of a session
        expires together; from that instant every read treats it as absent, swept or not. The server's clock decides
        where it has one, else core's (injectable).
    [TTL-2] After expiry plus one sweep, a raw scan finds no trace.

    Isolation
    [ISO-1] Nothing done through one tenant's view reads, changes, counts, lists, searches, expires or deletes anything
        of another's; the same for a user's view. Foreign ids give `SessionNotFound` (only `create` tells, by
        `AlreadyExists`, that another user of the same tenant has the id).
    [ISO-2] Hostile text as any id, filter key or value (quotes, `$ne`, `*`, `?`, `[`, `%`, `_`, `{}`, `:`, `/`, `..`,
        newline) is data, never syntax.
    [ISO-3] Two prefixes in one database never meet: list, count, delete, sweep, migrate.

    Failure
    [ERR-1] Only the errors of `agentkeep.errors` leave an adapter, the driver's as `__cause__`. `None`/empty means
        absent, never "the database failed".
    [ERR-2] `Unavailable` means that nothing was written; `OutcomeUnknown` that it may have been. Retrying an append
        with the same ids is safe in both.
    [ERR-3] No password in any repr, log line or message.
    [ERR-4] A stored record that can't be read raises `Corrupt` naming it; it is never skipped and never overwritten.
    [FLT-1] A killed process, a killed server, a cut connection, a full disk: whatever was acknowledged is there
        afterwards, once; whatever was not is there whole or not at all. (Redis: as its persistence setting promises;
        the page says so.)
    [FLT-2] A connection that died while idle costs the next call at most one silent retry. The server's restart needs
        no restart of ours.
    [FLT-3] Cancelling a call at any await leaves state before or after, never between, the pool full and the adapter
        usable.
    [FLT-4] No connection is held between calls.

    Life cycle
    [LIFE-1] `open` creates or migrates the schema, safely when 20 processes do it at once, in at most 3 round trips
        when it is current; `manage_schema=False` needs no DDL right. A newer schema than ours is `SchemaTooNew`.
    [LIFE-2] `close` closes what we opened, never what the caller gave us. Use before `open` or after `close` raises
        `Closed`.
    [LIFE-3] One adapter used from a second event loop works or says clearly what to do.

    Cost
    [COST-1] Round trips per call, counted at the socket: `append` of 1 or of 100 messages = 1 on Postgres and Redis (2
        on a Redis cluster), <= 2 on Mongo, <= 3 on OpenSearch (SQLite: one hop to its thread), averaged over 100 calls
        of one writer, one more on Mongo and OpenSearch where the caller gave the ids; `tail`, `list`, `get` = 1
        (OpenSearch <= 2), whatever the session's length.
    [COST-2] Bytes sent by an append don't depend on the session's length.
    """

    @property
    def name(self) -> str:
        """The adapter's name, which is its URL scheme: "sqlite"."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it offers; settled once `open` has returned."""
        ...

    @property
    def sessions(self) -> SessionRepository: ...

    @property
    def messages(self) -> MessageRepository: ...

    @classmethod
    def from_url(cls, url: str, **options: Any) -> PersistenceAdapter:
        """An adapter for a URL, no I/O. Options come from the URL's query (as text) or from the caller (as values).

        Raises `ConfigurationError` for a URL or an option that is not understood.
        """
        ...

    async def open(self) -> None:
        """Connect and bring the schema up to date (LIFE-1).

        Raises `Unavailable`, `SchemaMissing`, `SchemaTooNew`, `ConfigurationError`.
        """
        ...

    async def close(self) -> None:
        """Close what this adapter opened (LIFE-2). Never raises for a server that is gone."""
        ...

    async def health(self) -> Health:
        """Ask the server. Raises `Unavailable`."""
        ...

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        """Remove up to `limit` expired sessions of a scope, or of all, with all they left; how many sessions went.

        What a crash left half done goes too (TTL-2, FLT-1).
        """
        ...


@runtime_checkable
class SupportsMigrations(Protocol):
    """An adapter whose schema may belong to somebody else, who runs its script (LIFE-1)."""

    @property
    def migrated_from(self) -> int | None:
        """The schema's version that `open` found, 0 where there was none; None before `open`."""
        ...

    def migrations_sql(self, *, after: int = 0) -> str:
        """What brings a schema of version `after` up to date; 0 for none. No I/O. Raises `InvalidInput`."""
        ...
