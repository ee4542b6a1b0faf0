"""Small things that tests of several families make and read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from agentkeep import Message, NewMessage, Session, View
from agentkeep.transfer import restore
from msgspec.structs import replace

_T = TypeVar("_T")
_POLL_SECONDS = 0.02

PATIENCE_SECONDS = 20
"""A bound for what would else hang; of no clause."""

Verb = Callable[[View], Awaitable[Any]]
"""One call of the facade."""

FULL_SESSION: dict[str, Any] = {
    "user_id": "u1",
    "agent_name": "support",
    "title": "A title",
    "state": {"name": "Ada", "slots": [1, 2]},
    "metadata": {"team": "blue", "n": 3},
    "schema_version": 7,
}
"""A session with every field that `create` takes and that has no meaning of its own."""


def said(content: Any = "hello", *, id: str | None = None, **fields: Any) -> NewMessage:
    """A user's message."""
    return NewMessage(role="user", content=content, id=id, **fields)


def numbered(count: int, start: int = 1) -> list[NewMessage]:
    """Messages m1, m2, …, so named that their ids and contents tell their place."""
    return [said(f"text {n}", id=f"m{n}") for n in range(start, start + count)]


def seqs(messages: Iterable[Message]) -> list[int]:
    return [message.seq for message in messages]


def ids(rows: Iterable[Message | Session]) -> list[str]:
    return [row.id for row in rows]


async def everything(rows: AsyncIterator[_T]) -> list[_T]:
    return [row async for row in rows]


async def log(keep: View, session_id: str) -> list[Message]:
    """All messages of a session."""
    return await everything(keep.messages.iterate(session_id))


async def whole(keep: View, session_id: str) -> tuple[Session, list[Message]]:
    """Everything that can be seen of a session, to be compared before and after."""
    return await keep.sessions.get(session_id), await log(keep, session_id)


async def restore_as(source: View, target: View, id: str, new_id: str) -> None:
    """Put a session, as it stands in `source`, into `target` under another id."""
    session, messages = await whole(source, id)
    messages = [replace(message, session_id=new_id) for message in messages]
    await restore(target, replace(session, id=new_id), messages)


async def at_once(calls: Iterable[Coroutine[Any, Any, _T]], *, width: int = 32) -> list[_T]:
    """All results, at most `width` calls running at a time."""
    limit = asyncio.Semaphore(width)

    async def through(call: Coroutine[Any, Any, _T]) -> _T:
        async with limit:
            return await call

    return await asyncio.gather(*map(through, calls))


async def until(condition: Callable[[], Awaitable[bool]], what: str, *, seconds: float = PATIENCE_SECONDS) -> None:
    """Poll until `condition` holds. Raises `AssertionError` when it never does; the bound is not part of any clause."""
    for _ in range(int(seconds / _POLL_SECONDS)):
        if await condition():
            return
        await asyncio.sleep(_POLL_SECONDS)
    raise AssertionError(f"still not so after {seconds} s: {what}")


class HandClock:
    """A clock that stands still until it is moved, for adapters whose server has none."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 4, 5, 6, 7, 123_456, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)
