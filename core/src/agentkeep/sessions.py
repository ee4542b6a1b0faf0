"""`keep.sessions`: the verbs that users call. They validate, encode and scope, then call the adapter's repository."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from typing import Literal, Unpack

from agentkeep._adapter_state import AdapterState
from agentkeep._codec import decode_session
from agentkeep._cursors import session_cursor, session_position
from agentkeep._drafts import (
    SessionFields,
    SessionFilters,
    SessionUpdate,
    first_version,
    session_changes,
    session_draft,
    session_query,
)
from agentkeep._steps import in_steps
from agentkeep._tails import resumed
from agentkeep._validation import (
    check_additions,
    check_duration,
    check_id,
    check_ids,
    check_limit,
    check_optional_count,
    check_optional_id,
    fresh_id,
)
from agentkeep.errors import InvalidInput, SessionNotFound
from agentkeep.models import Page, Resumed, Session
from agentkeep.protocol import SessionRepository
from agentkeep.records import Fork, Scope, SessionOrder, SessionPosition, SessionQuery, SessionRecord
from agentkeep.spi.one_call import one_call

Order = Literal["updated_at", "-updated_at", "created_at", "-created_at"]
"""What a listing is sorted by; with `-`, newest first."""

_ORDERS = {
    "updated_at": SessionOrder("updated_at", descending=False),
    "-updated_at": SessionOrder("updated_at", descending=True),
    "created_at": SessionOrder("created_at", descending=False),
    "-created_at": SessionOrder("created_at", descending=True),
}
_ITERATE_PAGE = 200
_GET_MANY = 1_000


class Sessions:
    """The sessions that one view sees: one tenant's, or one user's of it (ISO-1)."""

    def __init__(self, shared: AdapterState, scope: Scope) -> None:
        self._shared = shared
        self._scope = scope

    @property
    def _repository(self) -> SessionRepository:
        """Of the open adapter, which may have made it in `open`. Raises `Closed`."""
        self._shared.require_open()
        return self._shared.adapter.sessions

    async def create(self, id: str | None = None, **fields: Unpack[SessionFields]) -> Session:
        """Create a session; without `id`, under a fresh one.

        Fields: `user_id`, `agent_name`, `title`, `state`, `metadata` (JSON objects), `ttl` (a fixed end, from now),
        `idle_ttl` (slid by each append and touch; default: the keep's; None: none), `parent_id`, `schema_version`.
        Raises `AlreadyExists` (SES-1), `InvalidInput`, `LimitExceeded`.
        """
        repository, shared = self._repository, self._shared
        draft = session_draft(id, fields, self._scope, shared.capabilities, shared.idle_ttl)
        return self._decode(await repository.create(self._scope, draft))

    async def get_or_create(self, id: str, **fields: Unpack[SessionFields]) -> Session:
        """The session of that id, created from `fields` (as in `create`) if there is none (SES-1).

        Raises `AlreadyExists` if `fields` or the view name a user and the session is not that user's (ISO-4),
        `InvalidInput`, `LimitExceeded`.
        """
        repository, shared = self._repository, self._shared
        draft = session_draft(check_id(id, "id"), fields, self._scope, shared.capabilities, shared.idle_ttl)
        return self._decode(await repository.create(self._scope, draft, or_get=True))

    async def get(self, id: str) -> Session:
        """Raises `SessionNotFound`."""
        return self._decode(await self._repository.get(self._scope, check_id(id, "id")))

    async def find(self, id: str) -> Session | None:
        """The session, or None if it is absent. A failing database raises, as everywhere (ERR-1)."""
        try:
            return await self.get(id)
        except SessionNotFound:
            return None

    async def get_many(self, ids: Sequence[str]) -> dict[str, Session]:
        """The sessions of these ids that there are, in the order of `ids`; one round trip for each 1,000."""
        repository = self._repository
        wanted = check_ids(ids, "ids")
        found: dict[str, Session] = {}
        for start in range(0, len(wanted), _GET_MANY):
            records = await repository.get_many(self._scope, wanted[start : start + _GET_MANY])
            found |= {record.id: self._decode(record) for record in records}
        return {id: found[id] for id in wanted if id in found}

    async def resume(self, id: str, *, tail: int = 50, whole_turns: bool = True) -> Resumed:
        """A session and its newest `tail` messages, oldest first, in one round trip: what an agent begins with.

        With `whole_turns`, also what is missing of the turn in which the oldest of them stands (READ-4).
        Raises `SessionNotFound`, `InvalidInput`.
        """
        return await resumed(self._shared, self._scope, id, tail, whole_turns=whole_turns)

    async def update(
        self,
        id: str,
        *,
        expected_version: int | None = None,
        add: dict[str, int] | None = None,
        **fields: Unpack[SessionUpdate],
    ) -> Session:
        """Set the named fields and keep the others (SES-2). With `expected_version`, only if that is still the version.

        Fields: `user_id`, `agent_name`, `title`, `status`, `current_route`, `current_step`, `state`, `metadata`,
        `schema_version`, `ttl`, `idle_ttl` (both from now; None takes that bound away: TTL-3). A JSON field is replaced
        whole. `add` adds to counters (CNT-2). `status="completed"` sets `completed_at`, another clears it (SES-3).
        Raises `SessionNotFound`, `Conflict`, `InvalidInput`, `LimitExceeded`.
        """
        repository = self._repository
        check_id(id, "id")
        check_optional_count(expected_version, "expected_version")
        changes = session_changes(fields, self._scope, self._shared.capabilities)
        additions = check_additions(add)
        if not changes and not additions:
            raise InvalidInput(
                f"an update names no field: give some of {', '.join(SessionUpdate.__annotations__)}, add"
            )
        return self._decode(
            await repository.update(self._scope, id, changes, add=additions, expected_version=expected_version)
        )

    async def list(
        self,
        *,
        order: Order = "-updated_at",
        limit: int = 50,
        cursor: str | None = None,
        **filters: Unpack[SessionFilters],
    ) -> Page[Session]:
        """A page of sessions, without their messages (READ-1, READ-2, READ-5).

        Filters: `user_id`, `agent_name`, `status`, `parent_id`, `metadata` (each named top-level key equals the given
        string, number, bool or null), `updated_after`, `updated_before` (both exclude their bound).
        To go on, repeat the call with the page's `next_cursor` as `cursor`. Raises `InvalidInput`.
        """
        repository = self._repository
        check_limit(limit)
        query = session_query(filters)
        sort = _ORDERS.get(order)
        if sort is None:
            raise InvalidInput(f"order is {order!r}: give one of {', '.join(_ORDERS)}")
        after = None if cursor is None else session_position(cursor, self._scope, query, sort)
        records = await repository.list(self._scope, query, sort, limit=limit + 1, after=after)
        items = [self._decode(record) for record in records[:limit]]
        if len(records) <= limit:
            return Page(items=items, next_cursor=None, has_more=False)
        last = items[-1]
        position = SessionPosition(last.updated_at if sort.field == "updated_at" else last.created_at, last.id)
        following = session_cursor(self._scope, query, sort, position)
        return Page(items=items, next_cursor=following, has_more=True)

    async def iterate(
        self, *, order: Order = "-updated_at", **filters: Unpack[SessionFilters]
    ) -> AsyncGenerator[Session, None]:
        """All matching sessions, page by page (READ-1). Nothing is held open between pages (FLT-4)."""
        cursor = None
        while True:
            page = await self.list(order=order, limit=_ITERATE_PAGE, cursor=cursor, **filters)
            for session in page.items:
                yield session
            if not page.has_more:
                return
            cursor = page.next_cursor

    async def count(self, **filters: Unpack[SessionFilters]) -> int:
        """How many sessions match, exactly (ORD-5)."""
        return await self._repository.count(self._scope, session_query(filters))

    async def find_active(self, user_id: str) -> Session | None:
        """The user's active session that was written to last, or None."""
        page = await self.list(user_id=check_id(user_id, "user_id"), status="active", limit=1)
        return page.items[0] if page.items else None

    async def touch(self, id: str, ttl: timedelta | float | None = None) -> Session:
        """Mark a session as used: set `updated_at` and slide its idle time; with `ttl`, set a new fixed end (TTL-3).

        Raises `SessionNotFound`, `InvalidInput`.
        """
        repository = self._repository
        return self._decode(await repository.touch(self._scope, check_id(id, "id"), ttl=check_duration(ttl, "ttl")))

    async def fork(
        self, id: str, *, at_seq: int | None = None, new_id: str | None = None, update: SessionUpdate | None = None
    ) -> Session:
        """Copy a session and its log up to `at_seq` (by default all of it) under a new id, in one step (SES-5).

        `update`: fields that land with the copy, as in `update`. The parent's time to live is copied (TTL-3).
        Raises `SessionNotFound`, `AlreadyExists`, `InvalidInput` (an `at_seq` that was never given), `LimitExceeded`.
        """
        repository = self._repository
        fork = Fork(
            session_id=check_id(id, "id"),
            new_id=check_optional_id(new_id, "new_id") or fresh_id(),
            at_seq=check_optional_count(at_seq, "at_seq"),
            version=first_version(),
            changes=session_changes(update, self._scope, self._shared.capabilities) if update else None,
        )
        with one_call():
            self._decode(await repository.get(self._scope, id))  # no copy is made of what can't be read (ERR-4)
            return self._decode(await repository.fork(self._scope, fork))

    async def delete(self, id: str, *, expected_version: int | None = None) -> bool:
        """Remove a session and everything of it (SES-6). False if there was none.

        With `expected_version`, only if that is still the version: else `Conflict`.
        """
        repository = self._repository
        check_optional_count(expected_version, "expected_version")
        return await repository.delete(self._scope, check_id(id, "id"), expected_version=expected_version)

    async def delete_many(self, *, dry_run: bool = False, **filters: Unpack[SessionFilters]) -> int:
        """Remove all matching sessions, each as `delete` does, and return how many; with `dry_run` only count them.

        Filters as in `list`; at least one is needed. It works in steps (COST-3). Raises `InvalidInput`, and
        `OutcomeUnknown` with `done` if a step failed after others had removed sessions (ERR-2).
        """
        repository = self._repository
        query = session_query(filters)
        if query == SessionQuery():
            raise InvalidInput("delete_many without a filter would delete every session: name at least one filter")
        if dry_run:
            return await repository.count(self._scope, query)
        return await in_steps(lambda limit: repository.delete_many(self._scope, query, limit=limit))

    async def delete_user(self, user_id: str) -> int:
        """Remove all sessions of a user and return how many, as `delete_many` does."""
        return await self.delete_many(user_id=check_id(user_id, "user_id"))

    def _decode(self, record: SessionRecord) -> Session:
        return decode_session(self._scope.tenant, record)
