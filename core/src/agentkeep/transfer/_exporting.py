"""Writes sessions as lines: with all that is stored (see `_exportfile`), or as conversations in the chat format."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import msgspec

from agentkeep.bridging import chat_messages
from agentkeep.errors import InvalidInput, SessionNotFound
from agentkeep.keep import View
from agentkeep.models import Message, Page, Session
from agentkeep.transfer._conversations import to_object
from agentkeep.transfer._exportfile import End, Header, Line, exported

_PAGE = 500


async def chosen(view: View, ids: Sequence[str]) -> AsyncIterator[Session]:
    """The sessions of these ids, or all of them in the order of their creation. Raises `SessionNotFound`."""
    if not ids:
        async for session in view.sessions.iterate(order="created_at"):
            yield session
        return
    for session in [await view.sessions.get(id) for id in dict.fromkeys(ids)]:
        yield session


async def export_lines(view: View, ids: Sequence[str] = ()) -> AsyncGenerator[bytes, None]:
    """The lines of an export: the sessions of these ids, or all, each with all its messages. Nothing is lost.

    Messages that are appended meanwhile may be left out. Raises `SessionNotFound` for an id that is absent, and if a
    session vanishes while its messages are read: then the export has no last line, and an import refuses it.
    """
    sessions = messages = 0
    yield _line(Header(tenant=view._scope.tenant))  # pyright: ignore[reportPrivateUsage] - a tool of core itself
    async for session in chosen(view, ids):
        # Read the first page before the session's line is written: a session deleted just now leaves no partial output.
        try:
            page = await _page(view, session, 0)
        except SessionNotFound:
            if session.id in ids:
                raise
            continue
        yield _line({"session": exported(session)})
        sessions += 1
        while True:
            for message in page.items:
                yield _line(Line(message=message))
            messages += len(page.items)
            if not page.has_more:
                break
            page = await _page(view, session, page.items[-1].seq)
    yield _line(Line(end=End(sessions=sessions, messages=messages)))


def _line(value: Any) -> bytes:
    return msgspec.json.encode(value) + b"\n"


async def _page(view: View, session: Session, after: int) -> Page[Message]:
    return await view.messages.list(session.id, after=after, before=session.last_seq + 1, limit=_PAGE)


async def export_chats(view: View, ids: Sequence[str] = ()) -> AsyncGenerator[bytes, None]:
    """The same sessions as conversations in OpenAI's chat format, one a line; those of a bridge as chats too.

    Raises `SessionNotFound` for an id that is absent, and `InvalidInput` for a framework's item in no known form.
    """
    async for session in chosen(view, ids):
        try:
            messages = [message async for message in view.messages.iterate(session.id)]
        except SessionNotFound:
            if session.id in ids:
                raise
            continue
        try:
            chat = chat_messages(messages)
        except InvalidInput as error:
            raise InvalidInput(f"session {session.id!r}: {error}") from error
        yield _line(to_object(session, chat))
