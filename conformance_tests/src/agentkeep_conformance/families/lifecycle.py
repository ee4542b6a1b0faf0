"""Opening, closing, and what both promise."""

from __future__ import annotations

import pytest
from agentkeep import Closed, Keep, NewMessage

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.place import Place
from agentkeep_conformance.samples import Verb

VERBS: dict[str, Verb] = {
    "sessions.create": lambda keep: keep.sessions.create("s"),
    "sessions.get": lambda keep: keep.sessions.get("s"),
    "sessions.find": lambda keep: keep.sessions.find("s"),
    "sessions.get_or_create": lambda keep: keep.sessions.get_or_create("s"),
    "sessions.update": lambda keep: keep.sessions.update("s", title="t"),
    "sessions.list": lambda keep: keep.sessions.list(),
    "sessions.iterate": lambda keep: anext(keep.sessions.iterate()),
    "sessions.count": lambda keep: keep.sessions.count(),
    "sessions.find_active": lambda keep: keep.sessions.find_active("u"),
    "sessions.touch": lambda keep: keep.sessions.touch("s"),
    "sessions.fork": lambda keep: keep.sessions.fork("s"),
    "sessions.delete": lambda keep: keep.sessions.delete("s"),
    "sessions.delete_many": lambda keep: keep.sessions.delete_many(user_id="u"),
    "sessions.delete_user": lambda keep: keep.sessions.delete_user("u"),
    "messages.append": lambda keep: keep.messages.append("s", [NewMessage(role="user")]),
    "messages.update": lambda keep: keep.messages.update("s", "m", content="c"),
    "messages.list": lambda keep: keep.messages.list("s"),
    "messages.iterate": lambda keep: anext(keep.messages.iterate("s")),
    "messages.tail": lambda keep: keep.messages.tail("s", 5),
    "messages.get": lambda keep: keep.messages.get("s", "m"),
    "messages.count": lambda keep: keep.messages.count("s"),
    "messages.truncate": lambda keep: keep.messages.truncate("s", after_seq=0),
    "messages.trim": lambda keep: keep.messages.trim("s", keep_last=1),
    "messages.pop": lambda keep: keep.messages.pop("s"),
    "messages.clear": lambda keep: keep.messages.clear("s"),
    "messages.search": lambda keep: keep.messages.search("x"),
    "messages.watch": lambda keep: anext(keep.messages.watch("s", after_seq=0)),
    "health": lambda keep: keep.health(),
    "sweep": lambda keep: keep.sweep(),
}
"""Every verb of the facade."""


async def count_sessions(keep: Keep) -> int:
    """In a child process: how many sessions are there."""
    return await keep.sessions.count()


class LifeCycle:
    @proves("LIFE-2")
    @pytest.mark.parametrize("verb", VERBS)
    async def test_use_outside_open_and_close_is_closed(self, place: Place, verb: str) -> None:
        never = Keep(place.unopened())
        with pytest.raises(Closed):
            await VERBS[verb](never)
        closed = await place.keep()
        await closed.close()
        with pytest.raises(Closed):
            await VERBS[verb](closed)

    @proves("LIFE-2")
    async def test_open_and_close_are_idempotent(self, place: Place) -> None:
        keep = await place.keep()
        await keep.sessions.create("s")
        await keep.open()
        assert (await keep.sessions.get("s")).id == "s"
        await keep.close()
        await keep.close()
        await Keep(place.unopened()).close()

    @proves("ORD-5")
    async def test_a_second_process_sees_the_data_where_it_is_shared(self, place: Place, keep: Keep) -> None:
        await keep.sessions.create("s")
        assert await place.in_process(count_sessions) == (1 if keep.capabilities.shared else 0)
