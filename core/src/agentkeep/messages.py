"""`keep.messages`: the verbs that users call. They validate, encode and scope, then call the adapter's repository."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Unpack, cast

from agentkeep._adapter_state import AdapterState
from agentkeep._codec import content_key, decode_message, decode_messages
from agentkeep._cursors import message_cursor, message_position
from agentkeep._drafts import SessionFields, SessionUpdate
from agentkeep._highlights import highlights
from agentkeep._message_drafts import (
    MessageUpdate,
    append_with_options,
    check_update,
    message_draft,
    plain_append,
    updated_message,
)
from agentkeep._tails import tail
from agentkeep._validation import (
    check_count,
    check_id,
    check_ids,
    check_limit,
    check_optional_count,
    check_optional_id,
    check_text,
)
from agentkeep.errors import Conflict, InvalidInput
from agentkeep.models import Appended, Hit, Message, NewMessage, Page
from agentkeep.protocol import MessageRepository, SupportsSearch, SupportsWatch
from agentkeep.records import HitRecord, MessageRange, Scope, SearchQuery, Stored
from agentkeep.spi.one_call import one_call
from agentkeep.spi.text import message_text, query_words

_ITERATE_PAGE = 500
_REPLACE_TRIES = 20
_GET_MANY = 1_000
_NO_OPTIONS = (None,) * 7


class Messages:
    """The messages of the sessions that one view sees (ISO-1)."""

    def __init__(self, shared: AdapterState, scope: Scope) -> None:
        self._shared = shared
        self._scope = scope

    @property
    def _repository(self) -> MessageRepository:
        """Of the open adapter, which may have made it in `open`. Raises `Closed`."""
        self._shared.require_open()
        return self._shared.adapter.messages

    async def append(
        self,
        session_id: str,
        messages: Sequence[NewMessage],
        *,
        create: SessionFields | None = None,
        update: SessionUpdate | None = None,
        add: dict[str, int] | None = None,
        stored: Stored = "conflict",
        expected_version: int | None = None,
        expected_last_seq: int | None = None,
        truncate_after: int | None = None,
        keep_last: int | None = None,
    ) -> Appended:
        """Append messages, all or none, and return them as stored (ORD-1…6, IDEM-1…3).

        `create`: fields of the session to make if there is none (SES-7). `update`: session fields, and `add`: counters
        (CNT-2), that land with the messages. `stored="skip"`: leave out messages whose ids are stored; else a batch of
        which some are stored is a `Conflict`. `truncate_after`: first remove what is after that seq (rewind and append
        in one). `keep_last`: afterwards keep only the newest so many. `expected_*`: only if still so; version 0 means
        that there is no session yet. Appending nothing with no option only checks that the session exists.
        Raises `SessionNotFound`, `AlreadyExists` (another user's: ISO-4), `Conflict`, `InvalidInput`, `LimitExceeded`.
        """
        shared = self._shared
        shared.require_open()
        options = (create, update, add, expected_version, expected_last_seq, truncate_after, keep_last)
        if stored == "conflict" and options == _NO_OPTIONS:
            append = plain_append(session_id, messages, shared.capabilities)
        else:
            append = append_with_options(
                shared,
                self._scope,
                session_id,
                messages,
                {
                    "create": create,
                    "update": update,
                    "add": add,
                    "stored": stored,
                    "expected_version": expected_version,
                    "expected_last_seq": expected_last_seq,
                    "truncate_after": truncate_after,
                    "keep_last": keep_last,
                },
            )
        if not messages and not append.has_options:
            session = await shared.adapter.sessions.get(self._scope, session_id)
            return Appended([], version=session.version, last_seq=session.last_seq, new=0)
        result = await shared.adapter.messages.append(self._scope, append)
        landed = decode_messages(session_id, result.messages)
        new = result.new if append.may_be_stored else len(landed)  # ids that core drew are nobody else's
        return Appended(landed, version=result.version, last_seq=result.last_seq, new=new)

    async def update(self, session_id: str, id: str, **fields: Unpack[MessageUpdate]) -> Message:
        """Replace fields of a stored message (redaction). `seq`, `id` and `created_at` stay; other fields are kept.

        Fields: `role`, `content`, `name`, `user_id`, `tool_calls`, `tool_call_id`, `turn_id`, `route`, `step`, `event`,
        `metadata`. Raises `SessionNotFound`, `MessageNotFound`, `InvalidInput`, `LimitExceeded`, and `Conflict` if
        others keep changing the message.
        """
        repository = self._repository
        check_id(session_id, "session_id")
        check_id(id, "id")
        check_update(fields)
        with one_call():
            for _ in range(_REPLACE_TRIES):
                stored = await repository.get(self._scope, session_id, id)
                message = updated_message(decode_message(session_id, stored), fields)
                draft = message_draft(message, self._shared.capabilities)
                expected = content_key(stored.role, stored.payload.encode())
                replaced = await repository.replace(self._scope, session_id, draft, expected=expected)
                if replaced is not None:
                    return decode_message(session_id, replaced)
        why = f"message {id!r} changed {_REPLACE_TRIES} times while it was being updated"
        raise Conflict("content", why, expected="the content that was read", actual="other content")

    async def list(
        self,
        session_id: str,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int = 100,
        newest_first: bool = False,
        cursor: str | None = None,
    ) -> Page[Message]:
        """Messages with `after` < seq < `before`, in order of seq (READ-1, READ-3, ORD-3).

        To go on, repeat the call with the page's `next_cursor` as `cursor`. Raises `SessionNotFound`, `InvalidInput`.
        """
        repository = self._repository
        check_id(session_id, "session_id")
        check_limit(limit)
        bounds = MessageRange(
            after=check_count(after, "after"),
            before=check_optional_count(before, "before"),
            limit=limit + 1,
            newest_first=newest_first,
        )
        window = bounds if cursor is None else self._following(session_id, bounds, cursor)
        records = await repository.list(self._scope, session_id, window)
        items = decode_messages(session_id, records[:limit])
        if len(records) <= limit:
            return Page(items=items, next_cursor=None, has_more=False)
        following = message_cursor(self._scope, session_id, bounds, items[-1].seq)
        return Page(items=items, next_cursor=following, has_more=True)

    def _following(self, session_id: str, bounds: MessageRange, cursor: str) -> MessageRange:
        seq = message_position(cursor, self._scope, session_id, bounds)
        if bounds.newest_first:
            return MessageRange(after=bounds.after, before=seq, limit=bounds.limit, newest_first=True)
        return MessageRange(after=seq, before=bounds.before, limit=bounds.limit)

    async def iterate(
        self, session_id: str, *, after: int = 0, before: int | None = None, newest_first: bool = False
    ) -> AsyncGenerator[Message, None]:
        """All messages with `after` < seq < `before`, in order or newest first (READ-1).

        Nothing is held open between pages (FLT-4).
        """
        cursor = None
        while True:
            page = await self.list(
                session_id, after=after, before=before, limit=_ITERATE_PAGE, newest_first=newest_first, cursor=cursor
            )
            for message in page.items:
                yield message
            if not page.has_more:
                return
            cursor = page.next_cursor

    async def tail(self, session_id: str, n: int, *, whole_turns: bool = False) -> list[Message]:
        """The newest `n` messages, oldest first (READ-3); any n, read in pages of 1,000.

        With `whole_turns`, also what is missing of the turn in which the oldest of them stands (READ-4).
        Raises `SessionNotFound`, `InvalidInput`.
        """
        return await tail(self._shared, self._scope, session_id, n, whole_turns=whole_turns)

    async def get(self, session_id: str, id: str) -> Message:
        """Raises `SessionNotFound`, `MessageNotFound`."""
        repository = self._repository
        check_id(session_id, "session_id")
        return decode_message(session_id, await repository.get(self._scope, session_id, check_id(id, "id")))

    async def get_many(self, session_id: str, ids: Sequence[str]) -> dict[str, Message]:
        """The messages of these ids that the session holds, in the order of `ids`; one round trip for each 1,000.

        Raises `SessionNotFound`.
        """
        repository = self._repository
        check_id(session_id, "session_id")
        wanted = check_ids(ids, "ids")
        found: dict[str, Message] = {}
        for start in range(0, max(1, len(wanted)), _GET_MANY):
            records = await repository.get_many(self._scope, session_id, wanted[start : start + _GET_MANY])
            found |= {record.id: decode_message(session_id, record) for record in records}
        return {id: found[id] for id in wanted if id in found}

    async def count(self, session_id: str) -> int:
        """How many messages the session holds (CNT-1). Raises `SessionNotFound`."""
        self._shared.require_open()
        session = await self._shared.adapter.sessions.get(self._scope, check_id(session_id, "session_id"))
        return session.message_count

    async def truncate(self, session_id: str, *, after_seq: int) -> int:
        """Rewind: remove the messages after `after_seq` and return how many. Raises `SessionNotFound`."""
        repository = self._repository
        check_id(session_id, "session_id")
        check_count(after_seq, "after_seq")
        return await repository.truncate(self._scope, session_id, after_seq=after_seq)

    async def trim(self, session_id: str, *, keep_last: int) -> int:
        """Rolling window: remove all but the newest `keep_last` and return how many. Raises `SessionNotFound`."""
        repository = self._repository
        check_id(session_id, "session_id")
        check_count(keep_last, "keep_last")
        return await repository.trim(self._scope, session_id, keep_last=keep_last)

    async def pop(self, session_id: str) -> Message | None:
        """Remove and return the newest message; None if there is none. Raises `SessionNotFound`, `Corrupt`."""
        with one_call():
            await self.tail(session_id, 1)  # a message that can't be read stays (ERR-4)
            record = await self._repository.pop(self._scope, session_id)
        return None if record is None else decode_message(session_id, record)

    async def clear(self, session_id: str) -> int:
        """Remove all messages and return how many; seqs go on. Raises `SessionNotFound`."""
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
        """Messages whose text contains each word of `query`, in any case of letters, best first (SRCH-1).

        Any text is legal; one without words finds nothing.
        Raises `CapabilityNotSupported`, `SessionNotFound` (of `session_id`), `InvalidInput`.
        """
        self._shared.require("search", declared=self._shared.capabilities.search)
        if check_text(query, "query") is None:
            raise InvalidInput("query is None: give a string")
        wanted = SearchQuery(
            words=query_words(query),
            session_id=check_optional_id(session_id, "session_id"),
            user_id=check_optional_id(user_id, "user_id"),
            agent_name=check_optional_id(agent_name, "agent_name"),
            role=check_optional_id(role, "role"),
            limit=check_limit(limit),
        )
        if not wanted.words:
            if session_id is not None:
                await self._shared.adapter.sessions.get(self._scope, session_id)
            return []
        found = await cast("SupportsSearch", self._repository).search(self._scope, wanted)
        return [_hit(hit, wanted.words) for hit in found]

    async def watch(self, session_id: str, *, after_seq: int) -> AsyncGenerator[Message, None]:
        """Messages after `after_seq` as they land, each once and in order, until the caller stops (WATCH-1).

        Raises `CapabilityNotSupported`, `SessionNotFound` (also when the session ends), `InvalidInput`.
        """
        self._shared.require("watch", declared=self._shared.capabilities.watch)
        check_id(session_id, "session_id")
        check_count(after_seq, "after_seq")
        watched = cast("SupportsWatch", self._repository).watch(self._scope, session_id, after_seq=after_seq)
        try:
            async for record in watched:
                yield decode_message(session_id, record)
        finally:  # at once, and not when the garbage collector comes by
            if isinstance(watched, AsyncGenerator):
                await watched.aclose()


def _hit(hit: HitRecord, words: Sequence[str]) -> Hit:
    message = decode_message(hit.session_id, hit.message)
    return Hit(message=message, score=hit.score, highlights=highlights(message_text(message), words))
