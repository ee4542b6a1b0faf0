"""`keep.messages`: the verbs that users call. They validate, encode and scope, then call the adapter's repository."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any, cast

from agentkeep._codec import decode_message
from agentkeep._cursors import message_cursor, message_position
from agentkeep._drafts import SessionUpdate, message_draft, session_changes
from agentkeep._shared import Shared
from agentkeep._turns import OpenExchange
from agentkeep._validation import (
    check_count,
    check_id,
    check_limit,
    check_optional_count,
    check_optional_id,
    check_text,
)
from agentkeep.errors import Conflict, InvalidInput, LimitExceeded
from agentkeep.models import Hit, Message, NewMessage, Page
from agentkeep.protocol import SupportsSearch, SupportsWatch
from agentkeep.records import Append, MessageDraft, MessageRange, MessageRecord, Scope, SearchQuery

_ITERATE_PAGE = 500
_TURN_PAGE = 100
_REPLACE_TRIES = 20
_UPDATABLE = frozenset(NewMessage.__struct_fields__) - {"id", "created_at"}


class Messages:
    """The messages of the sessions that one view sees (ISO-1)."""

    def __init__(self, shared: Shared, scope: Scope) -> None:
        self._shared = shared
        self._scope = scope
        self._repository = shared.adapter.messages

    async def append(
        self,
        session_id: str,
        messages: Sequence[NewMessage],
        *,
        update: SessionUpdate | None = None,
        expected_version: int | None = None,
        expected_last_seq: int | None = None,
        truncate_after: int | None = None,
        keep_last: int | None = None,
    ) -> list[Message]:
        """Append messages, all or none, and return them as stored (ORD-1…6, IDEM-1).

        `update`: session fields that land with them. `truncate_after`: remove what is behind that seq first (rewind and
        append in one). `keep_last`: keep only the newest so many afterwards. `expected_*`: only if still so. Appending
        nothing with no option only checks that the session exists.
        Raises `SessionNotFound`, `Conflict`, `InvalidInput`, `LimitExceeded`.
        """
        shared = self._shared
        shared.require_open()
        check_id(session_id, "session_id")
        append = Append(
            session_id=session_id,
            messages=self._drafts(messages),
            caller_ids=any(message.id is not None for message in messages),
            changes=None if update is None else session_changes(update, self._scope, shared.capabilities),
            expected_version=check_optional_count(expected_version, "expected_version"),
            expected_last_seq=check_optional_count(expected_last_seq, "expected_last_seq"),
            truncate_after=check_optional_count(truncate_after, "truncate_after"),
            keep_last=check_optional_count(keep_last, "keep_last", least=1),
            idle_ttl=shared.idle_ttl,
        )
        if append.caller_ids and keep_last is not None and keep_last < len(messages):
            raise InvalidInput(
                f"keep_last={keep_last} would drop messages of this very call, so repeating it could not be answered "
                "as the first time (IDEM-1): give no ids, or keep as many as you append"
            )
        if not messages and _has_no_option(append):
            await shared.adapter.sessions.get(self._scope, session_id)
            return []
        return self._decode(session_id, await self._repository.append(self._scope, append))

    def _drafts(self, messages: Sequence[NewMessage]) -> list[MessageDraft]:
        if not isinstance(cast("Any", messages), list | tuple):
            raise InvalidInput(f"messages is of type {type(messages).__name__}: give a list of NewMessage")
        capabilities = self._shared.capabilities
        if len(messages) > capabilities.max_batch:
            raise LimitExceeded("messages of one append", limit=capabilities.max_batch, actual=len(messages))
        drafts = [message_draft(message, capabilities) for message in messages]
        if len(drafts) > 1 and len({draft.id for draft in drafts}) < len(drafts):
            raise InvalidInput("an id stands twice in one batch: each message of a session has an id of its own")
        return drafts

    async def update(self, session_id: str, id: str, **fields: Any) -> Message:
        """Replace fields of a stored message (redaction). `seq`, `id` and `created_at` stay; other fields are kept.

        Raises `SessionNotFound`, `MessageNotFound`, `InvalidInput`, `LimitExceeded`, and `Conflict` where
        others keep changing it.
        """
        self._shared.require_open()
        check_id(session_id, "session_id")
        check_id(id, "id")
        unknown = fields.keys() - _UPDATABLE
        if unknown or not fields:
            names = ", ".join(sorted(_UPDATABLE))
            raise InvalidInput(f"a message can't be given {sorted(unknown) or 'nothing'} anew: name some of {names}")
        for _ in range(_REPLACE_TRIES):
            stored = await self._repository.get(self._scope, session_id, id)
            draft = message_draft(_with_fields(decode_message(session_id, stored), fields), self._shared.capabilities)
            replaced = await self._repository.replace(
                self._scope, session_id, id, role=draft.role, payload=draft.payload, expected=stored
            )
            if replaced is not None:
                return decode_message(session_id, replaced)
        raise Conflict(
            f"message {id!r} changed {_REPLACE_TRIES} times while it was being updated",
            expected="the content that was read",
            actual="other content",
        )

    async def list(
        self,
        session_id: str,
        *,
        after: int | str = 0,
        before: int | str | None = None,
        limit: int = 100,
        newest_first: bool = False,
    ) -> Page[Message]:
        """Messages with `after` < seq < `before`, in order of seq (READ-1, READ-3, ORD-3).

        To go on, hand the page's `next_cursor` back as `after` (as `before` where `newest_first`); the seq of the last
        message serves as well. Raises `SessionNotFound`, `InvalidInput`.
        """
        self._shared.require_open()
        check_id(session_id, "session_id")
        check_limit(limit)
        window = MessageRange(
            after=self._seq(session_id, after, "after", newest_first=False),
            before=None if before is None else self._seq(session_id, before, "before", newest_first=True),
            limit=limit + 1,
            newest_first=newest_first,
        )
        records = await self._repository.list(self._scope, session_id, window)
        items = self._decode(session_id, records[:limit])
        if len(records) <= limit:
            return Page(items=items, next_cursor=None, has_more=False)
        following = message_cursor(self._scope, session_id, newest_first=newest_first, seq=items[-1].seq)
        return Page(items=items, next_cursor=following, has_more=True)

    def _seq(self, session_id: str, bound: int | str, what: str, *, newest_first: bool) -> int:
        if isinstance(bound, str):
            return message_position(bound, self._scope, session_id, newest_first=newest_first)
        return check_count(bound, what)

    async def iterate(self, session_id: str, *, after: int = 0) -> AsyncGenerator[Message, None]:
        """All messages behind `after`, in order (READ-1). Nothing is held open between pages (FLT-4)."""
        while True:
            page = await self.list(session_id, after=after, limit=_ITERATE_PAGE)
            for message in page.items:
                yield message
            if not page.has_more:
                return
            after = page.items[-1].seq

    async def tail(self, session_id: str, n: int, *, whole_turns: bool = False) -> list[Message]:
        """The newest `n` messages (1 to 1,000), oldest first (READ-3).

        With `whole_turns` it begins earlier where message n is inside a tool exchange, so that each tool result has its
        call (READ-4); the further reads are bounded by how far back the call is.
        Raises `SessionNotFound`, `InvalidInput`.
        """
        self._shared.require_open()
        check_id(session_id, "session_id")
        check_limit(n, "n")
        records = await self._repository.list(self._scope, session_id, MessageRange(limit=n, newest_first=True))
        messages = self._decode(session_id, records[::-1])
        if whole_turns:
            await self._complete_turns(session_id, messages)
        return messages

    async def _complete_turns(self, session_id: str, messages: list[Message]) -> None:
        """Put earlier messages before `messages` until no tool result lacks a call that the log has (READ-4)."""
        exchange = OpenExchange(messages)
        earlier: list[Message] = []
        needed = 0
        while exchange.missing:
            before = (earlier or messages[:1])[-1].seq
            window = MessageRange(before=before, limit=_TURN_PAGE, newest_first=True)
            page = self._decode(session_id, await self._repository.list(self._scope, session_id, window))
            for message in page:
                earlier.append(message)
                if exchange.reaches(message):
                    needed = len(earlier)
            if len(page) < _TURN_PAGE:
                break
        messages[:0] = reversed(earlier[:needed])

    async def get(self, session_id: str, id: str) -> Message:
        """Raises `SessionNotFound`, `MessageNotFound`."""
        self._shared.require_open()
        check_id(session_id, "session_id")
        return decode_message(session_id, await self._repository.get(self._scope, session_id, check_id(id, "id")))

    async def count(self, session_id: str) -> int:
        """How many messages the session holds (CNT-1). Raises `SessionNotFound`."""
        self._shared.require_open()
        session = await self._shared.adapter.sessions.get(self._scope, check_id(session_id, "session_id"))
        return session.message_count

    async def truncate(self, session_id: str, *, after_seq: int) -> int:
        """Rewind: remove the messages behind `after_seq` and say how many. Raises `SessionNotFound`."""
        self._shared.require_open()
        check_id(session_id, "session_id")
        check_count(after_seq, "after_seq")
        return await self._repository.truncate(self._scope, session_id, after_seq=after_seq)

    async def trim(self, session_id: str, *, keep_last: int) -> int:
        """Rolling window: remove all but the newest `keep_last` and say how many. Raises `SessionNotFound`."""
        self._shared.require_open()
        check_id(session_id, "session_id")
        check_count(keep_last, "keep_last")
        return await self._repository.trim(self._scope, session_id, keep_last=keep_last)

    async def pop(self, session_id: str) -> Message | None:
        """Remove and return the newest message; None where there is none. Raises `SessionNotFound`."""
        self._shared.require_open()
        record = await self._repository.pop(self._scope, check_id(session_id, "session_id"))
        return None if record is None else decode_message(session_id, record)

    async def clear(self, session_id: str) -> int:
        """Remove all messages and say how many; seqs go on. Raises `SessionNotFound`."""
        return await self.truncate(session_id, after_seq=0)

    async def search(
        self,
        query: str,
        *,
        session_id: str | None = None,
        user_id: str | None = None,
        agent_name: str | None = None,
        role: str | None = None,
        limit: int = 20,
    ) -> list[Hit]:
        """Messages that hold all words of `query`, best first (SRCH-1). Any text is legal.

        Raises `CapabilityNotSupported`, `SessionNotFound` (of `session_id`), `InvalidInput`.
        """
        self._shared.require("search", declared=self._shared.capabilities.search)
        if check_text(query, "query") is None:
            raise InvalidInput("query is None: give a string")
        wanted = SearchQuery(
            text=query,
            session_id=check_optional_id(session_id, "session_id"),
            user_id=check_optional_id(user_id, "user_id"),
            agent_name=check_optional_id(agent_name, "agent_name"),
            role=check_optional_id(role, "role"),
            limit=check_limit(limit),
        )
        found = await cast("SupportsSearch", self._repository).search(self._scope, wanted)
        return [
            Hit(message=decode_message(hit.session_id, hit.message), score=hit.score, highlights=hit.highlights)
            for hit in found
        ]

    async def watch(self, session_id: str, *, after_seq: int) -> AsyncGenerator[Message, None]:
        """Messages behind `after_seq` as they land, each once and in order, until the caller stops (WATCH-1).

        Raises `CapabilityNotSupported`, `SessionNotFound` (also when the session ends), `InvalidInput`.
        """
        self._shared.require("watch", declared=self._shared.capabilities.watch)
        check_id(session_id, "session_id")
        check_count(after_seq, "after_seq")
        watched = cast("SupportsWatch", self._repository).watch(self._scope, session_id, after_seq=after_seq)
        async for record in watched:
            yield decode_message(session_id, record)

    def _decode(self, session_id: str, records: Sequence[MessageRecord]) -> list[Message]:
        return [decode_message(session_id, record) for record in records]


def _has_no_option(append: Append) -> bool:
    return (
        append.changes is None
        and append.expected_version is None
        and append.expected_last_seq is None
        and append.truncate_after is None
        and append.keep_last is None
    )


def _with_fields(message: Message, fields: dict[str, Any]) -> NewMessage:
    kept = {name: getattr(message, name) for name in NewMessage.__struct_fields__}
    return NewMessage(**(kept | fields))
