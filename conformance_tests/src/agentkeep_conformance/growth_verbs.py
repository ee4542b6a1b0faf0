"""The verbs whose work `growth` measures, each on what it promises not to read: other sessions, and the rest of a log.

The database has two long logs: "long", which only grows, and "cut", from which calls remove what they appended.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from agentkeep import Keep

from agentkeep_conformance.samples import restore_as, said

Call = Callable[[Keep, int], Awaitable[object]]
"""A call among many sessions and in long logs; the number makes its ids new."""

OWN: Any = {"user_id": "own", "agent_name": "own", "metadata": {"own": 1}}
"""Fields of sessions that are few in a small database and in a large one."""
_LENGTH = 3


async def truncate(keep: Keep, number: int) -> None:
    appended = await keep.messages.append("cut", [said("y")] * _LENGTH)
    await keep.messages.truncate("cut", after_seq=appended.last_seq - 2)


async def trim(keep: Keep, number: int) -> None:
    await keep.messages.append("cut", [said("y")])
    await keep.messages.trim("cut", keep_last=await keep.messages.count("cut") - 1)


async def pop(keep: Keep, number: int) -> None:
    await keep.messages.append("cut", [said("y")])
    await keep.messages.pop("cut")


async def clear(keep: Keep, number: int) -> None:
    await _create(keep, "own")
    await keep.messages.clear("own")
    await keep.sessions.delete("own")


async def fork_and_delete(keep: Keep, number: int) -> None:
    """A copy of the beginning of a long log."""
    await keep.sessions.fork("long", at_seq=_LENGTH, new_id="copy", update=OWN)
    await keep.sessions.delete("copy")


async def delete_many(keep: Keep, number: int) -> None:
    await _create(keep, "own")
    assert await keep.sessions.delete_many(**OWN, dry_run=True) == 1
    assert await keep.sessions.delete_many(**OWN) == 1


async def delete_user(keep: Keep, number: int) -> None:
    await _create(keep, "own")
    assert await keep.sessions.delete_user("own") == 1


async def restore_and_delete(keep: Keep, number: int) -> None:
    await restore_as(keep, keep, "kept", "back")
    await keep.sessions.delete("back")


async def search_in_a_session(keep: Keep, number: int) -> None:
    """The word is in every message of the database."""
    if keep.capabilities.search:
        assert len(await keep.messages.search("x", session_id="kept", limit=10)) == _LENGTH


async def search_of_a_user(keep: Keep, number: int) -> None:
    if keep.capabilities.search:
        assert len(await keep.messages.search("x", user_id="kept", limit=10)) == _LENGTH


async def _create(keep: Keep, name: str) -> None:
    await keep.messages.append(name, [said("x")] * _LENGTH, create=OWN)


async def keep_some(keep: Keep) -> None:
    """What these calls read and don't change."""
    await keep.sessions.create("kept", user_id="kept", agent_name="kept", metadata={"kept": 1}, parent_id="none")
    await keep.messages.append("kept", [said("x")] * _LENGTH)


CHANGES: list[Call] = [
    lambda keep, number: keep.messages.update("long", "m7", content=f"x {number}"),
    lambda keep, number: keep.sessions.touch("long", ttl=90_000 + number),
    truncate,
    trim,
    pop,
]
REMOVALS: list[Call] = [clear, fork_and_delete, restore_and_delete]
READS: list[Call] = [
    lambda keep, number: keep.messages.count("long"),
    lambda keep, number: keep.messages.tail("long", 20, whole_turns=True),
]
FILTERED: list[Call] = [
    lambda keep, number: keep.sessions.count(user_id="kept"),
    lambda keep, number: keep.sessions.count(agent_name="kept"),
    lambda keep, number: keep.sessions.count(parent_id="none"),
    lambda keep, number: keep.sessions.count(metadata={"kept": 1}),
    delete_many,
    delete_user,
]
"""By filters that match few sessions of many (READ-5). An adapter without an account of its own steps may walk
all sessions for them."""
