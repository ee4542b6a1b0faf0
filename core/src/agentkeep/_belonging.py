"""Sessions that belong to another session, and those that others share. See `agentkeep.retention`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import datetime

from agentkeep.keep import View
from agentkeep.models import Session

BELONGS_TO = "agentkeep:belongs_to"
"""The key of a session's metadata that holds the id of the session to which it belongs. Nothing belongs to such a one.

Whoever writes to a session that belongs to another also writes to that other, or calls `touch`: a policy asks when it
was last used."""
SHARED = "agentkeep:shared"
"""The key of a session's metadata that is `true` if the session is no conversation, but state that others share. No
policy removes it."""
_PAGE = 200
"""Sessions whose owners are read at once."""


def is_unused(session: Session, owner: Session | None, moment: datetime | None) -> bool:
    """Neither the session nor that to which it belongs was written to since."""
    return moment is not None and session.updated_at < moment and (owner is None or owner.updated_at < moment)


def owner_of(session: Session) -> str | None:
    """The id of the session to which this one belongs."""
    id = session.metadata.get(BELONGS_TO)
    return id if isinstance(id, str) else None


def is_shared(session: Session) -> bool:
    return session.metadata.get(SHARED) is True


async def with_owners(
    view: View, sessions: AsyncIterator[Session]
) -> AsyncGenerator[tuple[Session, Session | None], None]:
    """Each session with that to which it belongs; None if it belongs to none, or if that is gone."""
    some: list[Session] = []
    async for session in sessions:
        some.append(session)
        if len(some) == _PAGE:
            for each in await _owned(view, some):
                yield each
            some = []
    for each in await _owned(view, some):
        yield each


async def _owned(view: View, sessions: list[Session]) -> list[tuple[Session, Session | None]]:
    ids = {id for session in sessions if (id := owner_of(session)) is not None}
    owners = await view.sessions.get_many(list(ids)) if ids else {}
    return [(session, owners.get(owner_of(session) or "")) for session in sessions]
