"""Branches of a session: each is a copy under an id of its own, which belongs to the main session."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from agentkeep import AlreadyExists, Session, SessionNotFound, View
from agentkeep.bridging import from_stored, joined_id, to_stored
from agentkeep.retention import BELONGS_TO

MAIN = "main"
AGENT = "openai-agents/branch"


@dataclass(frozen=True)
class Branch:
    name: str
    items: int
    created_at: datetime


def branch_id(session_id: str, name: str) -> str:
    return joined_id(session_id) if name == MAIN else joined_id(session_id, name)


async def create(view: View, session_id: str, source: str, name: str, before_turn: int | None) -> None:
    """Raises `ValueError` if the name is in use or the turn is not there."""
    if name == MAIN:
        raise ValueError("a new branch can't be called 'main': give it another name")
    at_seq = None if before_turn is None else await _seq_before(view, source, before_turn)
    try:
        await _fork(view, session_id, source, name, at_seq)
    except AlreadyExists as error:
        if await _find(view, session_id, name) is not None:
            raise ValueError(f"branch {name!r} exists already") from error
        await view.sessions.delete(branch_id(session_id, name))
        await _fork(view, session_id, source, name, at_seq)
    except SessionNotFound as error:
        raise ValueError(f"session {session_id!r} has no items to branch from") from error


async def _fork(view: View, session_id: str, source: str, name: str, at_seq: int | None) -> None:
    metadata = {BELONGS_TO: joined_id(session_id), "branch": to_stored(name)}
    await view.sessions.fork(
        source, at_seq=at_seq, new_id=branch_id(session_id, name), update={"agent_name": AGENT, "metadata": metadata}
    )


async def _find(view: View, session_id: str, name: str) -> Session | None:
    """The branch, unless it is of an earlier life of the session: one that was removed alone left its branches."""
    ids = [joined_id(session_id), branch_id(session_id, name)]
    found = await view.sessions.get_many(ids)
    main, branch = (found.get(id) for id in ids)
    return branch if main is not None and branch is not None and main.created_at <= branch.created_at else None


async def _seq_before(view: View, source: str, turn: int) -> int:
    turns = 0
    try:
        async for message in view.messages.iterate(source):
            turns += message.role == "user"
            if turns == turn and message.role == "user":
                return message.seq - 1
    except SessionNotFound as error:
        raise ValueError("the session has no items to branch from") from error
    raise ValueError(f"before_turn is {turn}, and the branch has {turns} user messages: give 1 to {turns}")


async def require(view: View, session_id: str, name: str) -> None:
    if name != MAIN and await _find(view, session_id, name) is None:
        raise ValueError(f"session {session_id!r} has no branch {name!r}")


async def listed(view: View, session_id: str) -> list[Branch]:
    main = await view.sessions.find(joined_id(session_id))
    if main is None:
        return []
    branches = view.sessions.iterate(agent_name=AGENT, metadata={BELONGS_TO: main.id}, order="created_at")
    return [Branch(MAIN, main.message_count, main.created_at)] + [
        Branch(_name(session), session.message_count, session.created_at)
        async for session in branches
        if session.created_at >= main.created_at
    ]


async def use_main(view: View, session_id: str) -> None:
    """A branch was written to, so the session is in use: it and its branches live as long as the last used of them."""
    with suppress(SessionNotFound):
        await view.sessions.touch(joined_id(session_id))


def _name(session: Session) -> str:
    return cast("str", from_stored(session.metadata["branch"]))
