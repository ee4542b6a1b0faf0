"""What an adapter is: three protocols, and the clauses that it promises to keep.

Core validates, encodes and scopes every call first (`agentkeep.records`). So an adapter turns a verb into one statement
of its database, and a row into a record. Each clause stands below as `[NAME-N]` and is proved by tests of
`agentkeep-conformance`; the build fails if one has no test. An adapter raises the errors of `agentkeep.errors` alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol, runtime_checkable

from agentkeep.capabilities import Capabilities
from agentkeep.models import Health
from agentkeep.records import (
    Append,
    AppendedRecord,
    Fork,
    HitRecord,
    MessageDraft,
    MessageRange,
    MessageRecord,
    RestoredMessage,
    ResumedRecord,
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

    [SES-1] `create` of an existing id raises `AlreadyExists` and changes nothing; `get_or_create` has one winner,
        however many race.
    [SES-2] `update` with `expected_version` is compare-and-swap: one winner, the rest get `Conflict(expected, actual)`.
        Without it, the named fields are set and the others are kept: no lost update of another field. A version is
        never given twice to an id, over all its lives, so a stale writer of an earlier life gets `Conflict`.
    [SES-3] `created_at` never changes. `status="completed"` sets `completed_at`.
    [SES-4] Append to an absent, expired or deleted session raises `SessionNotFound`; nothing brings it back. A new
        `create` of its id makes a new, empty session that starts at seq 1.
    [SES-5] `fork` copies the log up to `at_seq`, in one step, from one life of the session (ids and seq kept; user,
        agent, state, metadata, counters, schema version and time to live copied; `parent_id` and `forked_at_seq` set),
        in work bounded by what is copied, and never changes the parent. An `at_seq` that was never given is
        `InvalidInput`.
    [SES-6] `delete` removes the session, its messages, index entries and search entries; a raw scan of the server finds
        no trace of it afterwards.
    [SES-7] `append` with `create` makes an absent or expired session from these fields and appends, in one step; if
        there is a living one, `create` is not looked at (except ISO-4). Racing callers make one session and all their
        messages land. `expected_version=0` means "there is none yet".
    [READ-2] Pages by cursor are stable: with inserts, updates and deletes between pages, each row whose sort key stays
        is returned exactly once (ties included), and no row is returned twice in the same version. An invalid cursor,
        or one made for another query or scope, raises `InvalidInput`.
    [READ-5] Listing sessions reads no messages, and costs the same among 1,000,000 sessions as among 1,000, under each
        filter and pair of filters (selective and old, or common), also if most of them have expired.
    """

    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        """Create a session, or with `or_get` return the living one of that id (SES-1, SES-4).

        What an expired session of that id left behind is removed in the same step.
        Raises `AlreadyExists`; with `or_get` only if the living session is not the draft's user's (ISO-4: see
        `spi.outcomes.check_owner`).
        """
        ...

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        """Raises `SessionNotFound`."""
        ...

    async def get_many(self, scope: Scope, session_ids: Sequence[str]) -> Sequence[SessionRecord]:
        """The living ones of these sessions, in any order; at most 1,000 distinct ids."""
        ...

    async def resume(self, scope: Scope, session_id: str, *, tail: int) -> ResumedRecord:
        """A session and its newest `tail` messages (1 to 1,000) as of one moment. Raises `SessionNotFound`."""
        ...

    async def update(
        self,
        scope: Scope,
        session_id: str,
        changes: SessionChanges,
        *,
        add: dict[str, int] | None = None,
        expected_version: int | None = None,
    ) -> SessionRecord:
        """Set the named fields, add to counters, add 1 to `version`, set `updated_at` (SES-2, SES-3, CNT-2).

        `changes` may be empty if `add` is given. Raises `SessionNotFound`, `Conflict`, `LimitExceeded`.
        """
        ...

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> Sequence[SessionRecord]:
        """The first `limit` living sessions after a position (READ-2, READ-5). `limit` is 1 to 1,001."""
        ...

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        """How many living sessions match, exactly (ORD-5)."""
        ...

    async def touch(self, scope: Scope, session_id: str, *, ttl: timedelta | None) -> SessionRecord:
        """Set `updated_at` and compute `expires_at` anew; with `ttl`, `ends_at` becomes now + ttl (TTL-3).

        Raises `SessionNotFound`.
        """
        ...

    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        """Copy a session and its messages in one step (SES-5; the copy's fields: `spi.outcomes.forked_session`).

        Raises `SessionNotFound`, `AlreadyExists` (of `new_id`), `InvalidInput` (`at_seq`).
        """
        ...

    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[RestoredMessage]
    ) -> None:
        """Store a session with its whole log as it once was: each field, seq and time as given, all or nothing.

        For imports and copies. What an expired session of that id left behind is removed in the same step. Each
        message's version is the record's. Raises `AlreadyExists` (SES-1).
        """
        ...

    async def delete(self, scope: Scope, session_id: str, *, expected_version: int | None = None) -> bool:
        """Remove a session and all that belongs to it (SES-6). False if there was none alive. Raises `Conflict`."""
        ...

    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        """One bounded step: remove up to `limit` matching sessions, as `delete` does; return how many (COST-3).

        Fewer than `limit`: no more match.
        """
        ...


class MessageRepository(Protocol):
    """The messages of one database: an append-only log for each session, that may be cut at both ends.

    [ORD-1] Appends to one session form one total order, given by `seq`: 1, 2, 3, …, assigned by the adapter inside the
        append, never from a clock. The `seq` of a removed message is never given again.
    [ORD-2] An `append` of many messages is all or nothing, and its messages are adjacent, in the given order.
    [ORD-3] No late arrivals: a reader who has seen `seq` n never later meets a new message with a smaller one. So
        `after=seq` is a correct cursor.
    [ORD-4] Appends never conflict with one another, in any number of tasks, processes or hosts. With
        `expected_last_seq` or `expected_version`, a stale writer gets `Conflict` and nothing of its call lands.
    [ORD-5] A reader sees its own completed writes at once, and so does every other reader of the same server (on
        replicas: as the adapter's page says). This includes listing and counting sessions.
    [ORD-6] What one `append` does (messages, `update`, `add`, `truncate_after`, `keep_last`) lands together or not at
        all, on every backend.
    [IDEM-1] A message's id is an idempotency key in its session. Appending the same id with the same content again
        changes nothing and returns the stored message; with other content (`1` is other than `1.0`) it raises
        `Conflict`. This check comes before `expected_*`, `update` and `add`, so a call that is repeated whole returns
        what it returned the first time. A batch of which only some ids are stored raises `Conflict`; an id twice in one
        batch raises `InvalidInput`. The id of a removed message is free again. Equal content under another id is
        another message. "Same content" is decided by a `content_key` that core computes from role and payload and
        adapters store, so that a wrapper may change the stored bytes.
    [IDEM-2] Sending the same `Append` record to a repository twice gives the same result on all adapters: as a
        repetition, or `OutcomeUnknown`; never as an error that invites another try.
    [IDEM-3] With `stored="skip"`, messages whose ids the session already holds are left out, whatever their content;
        the rest land, adjacent, in order. The result has the stored message for each of the call's. If messages were
        given and none is new, nothing else of the call happens.
    [CNT-1] `message_count`, `last_seq`, `last_message_at` and `updated_at` are exact after every append, truncate,
        trim, pop and clear, also under concurrency.
    [CNT-2] `add` adds to named integer counters of the session (names: 1 to 64 of `a-z 0-9 _ . -`; at most 64 a
        session; values within ±(2^53 - 1), else `LimitExceeded` and nothing lands). Concurrent adds are all counted,
        never conflict, and land once with the append that carries them.
    [READ-1] No implicit cap: without `limit`, `iterate` yields all; a page always says `has_more`. `limit` outside
        1…1,000 is `InvalidInput`, the same on every backend.
    [READ-3] `tail` and `list` cost the same in a session of 100,000 messages as in one of 100.
    [READ-4] `tail(n, whole_turns=True)` returns the newest n messages and what is missing of the turn in which the
        oldest of them stands. So it never starts inside a turn or a tool exchange. The extra work is bounded by that
        turn's length.
    """

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        """Do all that `append` says, in one step, in the order that `records.Append` states (ORD-1…6, IDEM-1…3, CNT-1).

        Raises `SessionNotFound`, `AlreadyExists`, `Conflict`, `LimitExceeded`.
        """
        ...

    async def replace(
        self, scope: Scope, session_id: str, message: MessageDraft, *, expected: str
    ) -> MessageRecord | None:
        """Give the message of that id another role, payload, content key and search text.

        Only if its content key is still `expected`; else None, and nothing is changed. `seq` and `created_at` stay; the
        session's `updated_at` is set. Raises `SessionNotFound`, `MessageNotFound`.
        """
        ...

    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> Sequence[MessageRecord]:
        """The messages of a range (READ-1, READ-3, ORD-3). Raises `SessionNotFound`."""
        ...

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        """Raises `SessionNotFound`, `MessageNotFound`."""
        ...

    async def get_many(self, scope: Scope, session_id: str, message_ids: Sequence[str]) -> Sequence[MessageRecord]:
        """Those of these messages that are stored, in any order; at most 1,000 distinct ids.

        Raises `SessionNotFound`.
        """
        ...

    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        """Remove the messages with a greater seq and return how many (CNT-1). Raises `SessionNotFound`."""
        ...

    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        """Remove all but the newest `keep_last` messages and return how many (CNT-1). Raises `SessionNotFound`."""
        ...

    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        """Remove and return the newest message; each goes to one caller (CNT-1). Raises `SessionNotFound`."""
        ...


class SupportsSearch(Protocol):
    """A message repository whose adapter declares `search`.

    [SRCH-1] A message is found as soon as its append returned; a deleted or expired one never. What is searched is the
        text of `content`, and of `event` if `content` is None. Any query text is legal (quotes, `*`, `-`, `<`, NUL,
        CJK, 100 kB of one word) and means the same on every backend: all its words must occur. The work is bounded by
        the query's distinct words and the limit; a search within one session or user does not pay for the others' hits.
    """

    async def search(self, scope: Scope, query: SearchQuery) -> Sequence[HitRecord]:
        """The best hits first. Raises `SessionNotFound` if `session_id` is given and absent."""
        ...


class SupportsWatch(Protocol):
    """A message repository whose adapter declares `watch`.

    [WATCH-1] Yields every message after `after_seq` exactly once, in order, also across a reconnect or a restart of the
        server.
    [WATCH-2] An append costs the same with 1,000 watchers of other sessions. All watchers of one keep in one event loop
        share at most one connection.
    """

    def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        """Messages as they land, until the caller stops. Raises `SessionNotFound`, also once the session is gone."""
        ...


@runtime_checkable
class PersistenceAdapter(Protocol):
    """One database. Its constructor does no I/O and takes a ready client, pool or engine, which stays the caller's.

    Fidelity
    [FID-1] Every JSON value round-trips equal: key order, int and float kept apart, ints beyond 64 bits, `-0.0`, empty,
        missing and null kept apart, keys with `.`, `$`, leading `_`, 1,100 distinct keys, nesting of 25. NaN and
        infinities are refused.
    [FID-2] Every legal Unicode text round-trips, NUL included; lone surrogates are refused before any write, on every
        backend alike.
    [FID-3] Microseconds round-trip. Naive datetimes are refused.
    [FID-4] What exceeds a declared limit (`max_message_bytes`, at least 8 MiB everywhere; 2,000 filterable metadata
        entries a session) is refused with `LimitExceeded(limit, actual)` before any write.
    [FID-5] What is returned is a value: changing it changes nothing stored, also in the memory adapter.

    Time to live
    [TTL-1] From `expires_at` on, every read treats the session as absent, swept or not, and nothing brings it back:
        what a reader once saw as expired stays so. All of a session expires together. The server's clock decides if it
        has one, else core's (injectable).
    [TTL-2] After expiry and one sweep, a raw scan finds no trace.
    [TTL-3] A session may have a fixed end (`ttl` → `ends_at`), an idle time (`idle_ttl`, slid by each append and
        touch), or both (`expires_at` is the earlier). They belong to the session from its creation; the keep's
        `idle_ttl` is the default for new sessions only, and an explicit None means none. `touch(ttl=…)` sets a new
        fixed end.

    Isolation
    [ISO-1] Nothing done through one tenant's view reads, changes, counts, lists, searches, expires or deletes anything
        of another's; the same for a user's view. Foreign ids give `SessionNotFound` (only `create` tells, by
        `AlreadyExists`, that another user of the same tenant has the id).
    [ISO-2] Hostile text as any id, filter key or value (quotes, `$ne`, `*`, `?`, `[`, `%`, `_`, `{}`, `:`, `/`, `..`,
        newline) is data, never syntax.
    [ISO-3] Two prefixes in one database never meet: list, count, delete, sweep, migrate.
    [ISO-4] `get_or_create` that names a `user_id` never returns another user's session: it raises `AlreadyExists`.

    Failure
    [ERR-1] Only the errors of `agentkeep.errors` leave an adapter, the driver's as `__cause__`. `None`/empty means
        absent, never "the database failed". Under trio, in another event loop, or in a forked child a call works or
        raises one of them that says what to do; it never hangs.
    [ERR-2] `Unavailable` and `Refused` mean that nothing was written (trying again may help, or will not);
        `OutcomeUnknown` that something may have been (`done`: how many, for verbs that work in batches). Retrying an
        append with the same ids is safe in all three.
    [ERR-3] No password in any repr, log line or error message; no stored content in any log line or error message (ids
        may stand there; the repr of a session or message is the caller's own).
    [ERR-4] A stored record that can't be read raises `Corrupt` naming it; it is never skipped and never overwritten.
    [ERR-5] Every error pickles and unpickles equal. `Conflict.kind` says which: "version", "last_seq", "message_id",
        "batch", "content".
    [FLT-1] A killed process, a killed server, a cut connection, a full disk: whatever was acknowledged is there
        afterwards, once; whatever was not is there whole or not at all. (Redis: as its persistence setting promises;
        the page says so.)
    [FLT-2] A connection that died while idle costs the next call at most one silent retry. The server's restart needs
        no restart of ours.
    [FLT-3] Cancelling a call at any await leaves state before or after, never between, the pool full and the adapter
        usable, with no noise in the log, also on a caller's engine or client.
    [FLT-4] No connection is held between calls.
    [FLT-5] `timeout` bounds the whole call, waiting for a connection included.

    Life cycle
    [LIFE-1] `open` creates or migrates the schema, safely when 20 processes do it at once, in at most 3 round trips
        when it is current; `manage_schema=False` needs no DDL right.
    [LIFE-2] `close` closes what we opened, never what the caller gave us. Use before `open` or after `close` raises
        `Closed`.
    [LIFE-3] One adapter used from a second event loop works or says clearly what to do. `connect(url, own_loop=True)`
        runs the keep on a loop in its own thread: any loop or thread may call it, and cancelling a call cancels it
        there. `agentkeep.sync.over(keep)` gives the sync face of any keep, one that wraps a caller's engine included.
    [LIFE-4] The schema stores its version and the oldest version that may still use it. Only an older release raises
        `SchemaTooNew`, so a rolling deploy can restart the release before.
    [LIFE-5] The sync keep may be called from any thread and inside a running event loop. `SyncKeep.run(call)` and
        `await SyncKeep.arun(call)` run a caller's coroutine on its loop. From its own loop's thread it raises and never
        hangs.
    [WRAP-1] Through a wrapper that delegates everything, and through one that stores other bytes than it was given,
        every clause holds as without it.

    Cost
    [COST-1] Round trips per call, counted at the socket: `append` of 1 or of 100 messages = 1 on Postgres and Redis (2
        on a Redis cluster), <= 2 on Mongo, <= 3 on OpenSearch (SQLite: one hop to its thread), averaged over 100 calls
        of one writer, one more on Mongo and OpenSearch if the caller gave the ids; `tail`, `list`, `get`, `get_many`,
        `resume` = 1 (OpenSearch <= 2), whatever the session's length.
    [COST-2] Bytes sent by an append don't depend on the session's length.
    [COST-3] `sweep`, `delete_many`, `count`, migrations and search upkeep work in bounded steps: no call on another
        session waits longer for them in a large database than in a small one.
    [COST-4] All costs hold in a database that grew from empty and whose statistics were never gathered, with prepared
        statements that are as old as it is.
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
    def sessions(self) -> SessionRepository:
        """Read at each call; may be made in `open`."""
        ...

    @property
    def messages(self) -> MessageRepository:
        """Read at each call; may be made in `open`."""
        ...

    async def open(self) -> None:
        """Connect and bring the schema up to date (LIFE-1).

        Raises `Unavailable`, `SchemaMissing`, `SchemaTooNew`, `ConfigurationError`.
        """
        ...

    async def close(self) -> None:
        """Close what this adapter opened (LIFE-2). Never raises because a server is gone."""
        ...

    async def health(self) -> Health:
        """Ask the server. Raises `Unavailable`."""
        ...

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        """One bounded step: remove up to `limit` expired sessions of a scope, or of all; return how many (COST-3).

        Core calls it with a `limit` of at most 100 until it returns less than that. Then what crashes left half done
        and what removed texts left in indexes goes too (TTL-2, FLT-1).
        """
        ...


class AdapterFactory(Protocol):
    """What an entry point of the group `agentkeep.adapters` names: usually the adapter's class."""

    def from_url(self, url: str, **options: Any) -> PersistenceAdapter:
        """An adapter for a URL, no I/O. Options come from the URL's query (as text) or from the caller (as values).

        Raises `ConfigurationError` for a URL or an option that is not understood.
        """
        ...


@runtime_checkable
class CreatesDatabases(Protocol):
    """An adapter factory whose adapters make a database if there is none, for example a file."""

    @property
    def open_existing(self) -> Mapping[str, Any]:
        """Options of `from_url` with which `open` raises `ConfigurationError` instead."""
        ...


@runtime_checkable
class ListsTenants(Protocol):
    """An adapter that can say which tenants have sessions, for whoever looks after the database."""

    async def tenants(self) -> list[str]:
        """The tenants that have sessions, in the order of their names; an expired one counts until it is swept."""
        ...


@runtime_checkable
class SupportsMigrations(Protocol):
    """An adapter whose schema may belong to somebody else, who runs its script (LIFE-1)."""

    @property
    def migrated_from(self) -> int | None:
        """The schema's version that `open` found, 0 if there was none; None before `open`."""
        ...

    def migrations_sql(self, *, after: int = 0) -> str:
        """What brings a schema of version `after` up to date; 0 for none. No I/O. Raises `InvalidInput`."""
        ...
