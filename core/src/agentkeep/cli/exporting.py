"""Writes sessions as lines: lossless (`exportfile`), or as conversations in the chat format."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from agentkeep.cli.conversations import to_object
from agentkeep.cli.exportfile import End, Header, Line, encode
from agentkeep.errors import SessionNotFound
from agentkeep.keep import Keep
from agentkeep.models import Message, Page, Session

_PAGE = 500


async def chosen(keep: Keep, ids: Sequence[str]) -> AsyncIterator[Session]:
    """The sessions of these ids, or all of them in the order of their creation. Raises `SessionNotFound`."""
    if not ids:
        async for session in keep.sessions.iterate(order="created_at"):
            yield session
        return
    for session in [await keep.sessions.get(id) for id in dict.fromkeys(ids)]:
        yield session


async def export_whole(keep: Keep, ids: Sequence[str], tenant: str, write: Callable[[bytes], None]) -> None:
    """The sessions with all their messages, in the format of `exportfile`. Messages appended meanwhile may be left out.

    Raises `SessionNotFound` for an id that is absent, and where a session vanishes while its messages are read: the
    export has no last line then, and is refused by an import.
    """
    sessions = messages = 0
    write(encode(Header(tenant=tenant)))
    async for session in chosen(keep, ids):
        # Read the first page before the session's line is written: a session deleted just now leaves no partial output.
        try:
            page = await _page(keep, session, 0)
        except SessionNotFound:
            if session.id in ids:
                raise
            continue
        write(encode(Line(session=session)))
        sessions += 1
        while True:
            for message in page.items:
                write(encode(Line(message=message)))
            messages += len(page.items)
            if not page.has_more:
                break
            page = await _page(keep, session, page.items[-1].seq)
    write(encode(Line(end=End(sessions=sessions, messages=messages))))


async def _page(keep: Keep, session: Session, after: int) -> Page[Message]:
    return await keep.messages.list(session.id, after=after, before=session.last_seq + 1, limit=_PAGE)


async def export_chat(keep: Keep, ids: Sequence[str], write: Callable[[bytes], None]) -> None:
    """A conversation a line. Raises `SessionNotFound` for an id that is absent."""
    async for session in chosen(keep, ids):
        try:
            messages = [message async for message in keep.messages.iterate(session.id)]
        except SessionNotFound:
            if session.id in ids:
                raise
            continue
        write(encode(to_object(session, messages)))
