"""`keep.sessions`: the verbs that users call. They validate, encode and scope, then call the adapter's repository."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Literal, Unpack
from uuid import uuid4

from agentkeep._codec import decode_session
from agentkeep._cursors import session_cursor, session_position
from agentkeep._drafts import (
    SessionFields,
    SessionFilters,
    SessionUpdate,
    session_changes,
    session_draft,
    session_query,
)
from agentkeep._shared import Shared
from agentkeep._validation import check_duration, check_id, check_limit, check_optional_count, check_optional_id
from agentkeep.errors import InvalidInput, SessionNotFound
from agentkeep.models import Page, Session
from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery, SessionRecord

Order = Literal["updated_at", "-updated_at", "created_at", "-created_at"]

_ORDERS = {
    "updated_at": SessionOrder("updated_at", descending=False),
    "-updated_at": SessionOrder("updated_at", descending=True),
    "created_at": SessionOrder("created_at", descending=False),
    "-created_at": SessionOrder("created_at", descending=True),
}
_ITERATE_PAGE = 200
_DELETE_BATCH = 100


class Sessions:
    """The sessions that one view sees: one tenant's, or one user's of it (ISO-1)."""

    def __init__(self, shared: Shared, scope: Scope) -> None:
        self._shared = shared
        self._scope = scope
        self._repository = shared.adapter.sessions

    async def create(self, id: str | None = None, **fields: Unpack[SessionFields]) -> Session:
        """Create a session; without `id` under a fresh one. It expires after `ttl`, else after the keep's `idle_ttl`.

        Raises `AlreadyExists` (SES-1), `InvalidInput`, `LimitExceeded`.
        """
        shared = self._shared
        shared.require_open()
        draft = session_draft(id, fields, self._scope, shared.capabilities, shared.idle_ttl)
        return self._decode(await self._repository.create(self._scope, draft))

    async def get_or_create(self, id: str, **fields: Unpack[SessionFields]) -> Session:
        """The session of that id, created from `fields` where there is none (SES-1).

        Raises `SessionNotFound` where a user's view may not see the one there is (ISO-1), `InvalidInput`,
        `LimitExceeded`.
        """
        shared = self._shared
        shared.require_open()
        draft = session_draft(check_id(id, "id"), fields, self._scope, shared.capabilities, shared.idle_ttl)
        return self._decode(await self._repository.create(self._scope, draft, or_get=True))

    async def get(self, id: str) -> Session:
        """Raises `SessionNotFound`."""
        self._shared.require_open()
        return self._decode(await self._repository.get(self._scope, check_id(id, "id")))

    async def find(self, id: str) -> Session | None:
        """The session, or None where it is absent. A failing database raises, as everywhere (ERR-1)."""
        try:
            return await self.get(id)
        except SessionNotFound:
            return None

    async def update(self, id: str, *, expected_version: int | None = None, **fields: Unpack[SessionUpdate]) -> Session:
        """Set the named fields and keep the others (SES-2). With `expected_version`, only if that is still the version.

        A JSON field is replaced whole. `status="completed"` sets `completed_at`, another status clears it (SES-3).
        Raises `SessionNotFound`, `Conflict`, `InvalidInput`, `LimitExceeded`.
        """
        self._shared.require_open()
        check_id(id, "id")
        check_optional_count(expected_version, "expected_version")
        changes = session_changes(fields, self._scope, self._shared.capabilities)
        record = await self._repository.update(self._scope, id, changes, expected_version=expected_version)
        return self._decode(record)

    async def list(
        self,
        *,
        order: Order = "-updated_at",
        limit: int = 50,
        cursor: str | None = None,
        **filters: Unpack[SessionFilters],
    ) -> Page[Session]:
        """A page of sessions, without their messages (READ-1, READ-2, READ-5). Raises `InvalidInput`."""
        self._shared.require_open()
        check_limit(limit)
        query = session_query(filters)
        sort = _ORDERS.get(order)
        if sort is None:
            raise InvalidInput(f"order is {order!r}: give one of {', '.join(_ORDERS)}")
        after = None if cursor is None else session_position(cursor, self._scope, query, sort)
        records = await self._repository.list(self._scope, query, sort, limit=limit + 1, after=after)
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
        self._shared.require_open()
        return await self._repository.count(self._scope, session_query(filters))

    async def find_active(self, user_id: str) -> Session | None:
        """The user's active session that was written to last, or None."""
        page = await self.list(user_id=check_id(user_id, "user_id"), status="active", limit=1)
        return page.items[0] if page.items else None

    async def touch(self, id: str, ttl: timedelta | None = None) -> Session:
        """Mark a session as used: set `updated_at`, and `expires_at` to now + `ttl`, or slide it by `idle_ttl` (TTL-1).

        Raises `SessionNotFound`, `InvalidInput`.
        """
        self._shared.require_open()
        check_id(id, "id")
        check_duration(ttl, "ttl")
        return self._decode(await self._repository.touch(self._scope, id, ttl=ttl, idle_ttl=self._shared.idle_ttl))

    async def fork(self, id: str, *, at_seq: int | None = None, new_id: str | None = None) -> Session:
        """Copy a session and its log up to `at_seq` (all of it by default) under a new id (SES-5).

        The copy expires after `idle_ttl` where that is set, else when its parent does.
        Raises `SessionNotFound`, `AlreadyExists`, `InvalidInput` (an `at_seq` that was never given).
        """
        self._shared.require_open()
        check_id(id, "id")
        check_optional_id(new_id, "new_id")
        check_optional_count(at_seq, "at_seq")
        last_seq = (await self._repository.get(self._scope, id)).last_seq
        if at_seq is None:
            at_seq = last_seq
        elif at_seq > last_seq:
            raise InvalidInput(f"at_seq is {at_seq}: the session's last seq is {last_seq}")
        record = await self._repository.fork(
            self._scope, id, at_seq=at_seq, new_id=new_id or uuid4().hex, ttl=self._shared.idle_ttl
        )
        return self._decode(record)

    async def delete(self, id: str) -> bool:
        """Remove a session and everything of it (SES-6). False where there was none."""
        self._shared.require_open()
        return await self._repository.delete(self._scope, check_id(id, "id"))

    async def delete_many(self, *, dry_run: bool = False, **filters: Unpack[SessionFilters]) -> int:
        """Remove all matching sessions, each as `delete` does, and say how many; with `dry_run` only say it.

        At least one filter is needed. It works in batches: an error leaves whole sessions, some of them removed.
        """
        self._shared.require_open()
        query = session_query(filters)
        if query == SessionQuery():
            raise InvalidInput("delete_many without a filter would delete every session: name at least one filter")
        if dry_run:
            return await self._repository.count(self._scope, query)
        deleted = 0
        while went := await self._repository.delete_many(self._scope, query, limit=_DELETE_BATCH):
            deleted += went
        return deleted

    async def delete_user(self, user_id: str) -> int:
        """Remove all sessions of a user and say how many."""
        return await self.delete_many(user_id=check_id(user_id, "user_id"))

    def _decode(self, record: SessionRecord) -> Session:
        return decode_session(self._scope.tenant, record)
