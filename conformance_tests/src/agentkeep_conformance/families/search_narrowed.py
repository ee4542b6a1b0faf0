"""Each kind of query with each filter: short and long words, the third word and later ones, hostile ids (SRCH-1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from agentkeep import Keep, NewMessage, SessionUpdate, View, transfer
from msgspec.structs import replace

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.searching import found, searches
from agentkeep_conformance.samples import log, said, whole
from agentkeep_conformance.small_steps import small_steps
from agentkeep_conformance.tables import IDS

_LONG = "w" * 3_000

QUERIES: dict[str, tuple[str, str]] = {
    "a letter": ("q", "other words"),
    "two letters": ("qz", "zq other"),
    "an ideograph": ("東", "南 other"),
    "a word": ("alpha", "alphx other"),
    "a long word": (f"{_LONG}end", f"{_LONG}enx"),
    "a third word": ("alpha beta gamma", "alpha beta delta"),
    "a fifth word": ("alpha beta gamma delta epsilon", "alpha beta gamma delta zeta"),
    "a short third word": ("alpha beta q", "alpha beta z"),
    "a word among letters": ("a b alpha", "a b alphx"),
    "a long word among short ones": (f"a b {_LONG}end", f"a b {_LONG}"),
}
"""A query, and a text that lacks its last word."""

FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "session": {"session_id": "mine"},
    "user": {"user_id": "u1"},
    "agent": {"agent_name": "a1"},
    "role": {"role": "user"},
    "session and role": {"session_id": "mine", "role": "user"},
    "user and agent": {"user_id": "u1", "agent_name": "a1"},
    "all": {"session_id": "mine", "user_id": "u1", "agent_name": "a1", "role": "user"},
}
_SESSIONS = {"mine": ("u1", "a1", "user"), "theirs": ("u2", "a2", "tool"), "nobody's": (None, None, "assistant")}


async def store_query(keep: Keep, row: str) -> None:
    """What a query of the table finds and what it doesn't, in two tenants."""
    for view in (keep, keep.for_tenant("other")):
        await _store(view, *QUERIES[row])


async def _store(keep: View, query: str, without: str) -> None:
    """In each session: a text without the query's last word, the best text, then weaker ones of as many words."""
    words = query.split()
    for name, (user_id, agent_name, role) in _SESSIONS.items():
        await keep.sessions.create(name, user_id=user_id, agent_name=agent_name)
        texts = {"without": without, "best": f"{query} " * 4}
        texts |= {f"weak{number}": f"{query} {'filler ' * (3 * len(words))}" for number in range(4)}
        batch = [NewMessage(role=role, id=f"{name} {id}", content=text.strip()) for id, text in texts.items()]
        await keep.messages.append(name, batch)


async def _restore(keep: View) -> None:
    session, messages = await whole(keep, "s")
    await keep.sessions.delete("s")
    await transfer.restore(keep, replace(session, user_id="new", agent_name="new"), messages)


_NEW: SessionUpdate = {"user_id": "new", "agent_name": "new"}
_HANDED_ON: dict[str, Callable[[View], Awaitable[object]]] = {
    "update": lambda keep: keep.sessions.update("s", **_NEW),
    "update of the user": lambda keep: keep.sessions.update("s", user_id="new"),
    "update of the agent": lambda keep: keep.sessions.update("s", agent_name="new"),
    "append": lambda keep: keep.messages.append("s", [said("needle", id="last")], update=_NEW),
    "fork": lambda keep: keep.sessions.fork("s", new_id="copy", update=_NEW),
    "fork of a part": lambda keep: keep.sessions.fork("s", at_seq=5, new_id="copy", update=_NEW),
    "restore": _restore,
}
"""A session of the user and agent "old" comes to "new", or a copy does."""


async def means_the_same_under_each_filter(keep: Keep, row: str) -> None:
    """After `store_query`."""
    query, _ = QUERIES[row]
    backwards = " ".join(reversed(query.split()))
    for name, filters in FILTERS.items():
        sessions = ["mine"] if filters else list(_SESSIONS)
        wanted = sorted(
            f"{session} {id}" for session in sessions for id in ("best", "weak0", "weak1", "weak2", "weak3")
        )
        assert await found(keep, query, **filters) == wanted, name
        assert await found(keep, backwards.upper(), **filters) == wanted, name
        assert await found(keep, f"{query} absent", **filters) == [], name
    own = keep.for_user("u1")
    assert await found(own, query) == await found(keep, query, user_id="u1")
    assert await found(own, query, agent_name="a2") == await found(own, query, user_id="u2") == []


class SearchNarrowed:
    @proves("SRCH-1", "ISO-1")
    @pytest.mark.parametrize("row", QUERIES)
    async def test_each_query_means_the_same_under_each_filter(self, database: Database, keep: Keep, row: str) -> None:
        if await searches(database, keep):
            await store_query(keep, row)
            await means_the_same_under_each_filter(keep, row)

    @proves("SRCH-1")
    @pytest.mark.parametrize("row", ["two letters", "a word", "a third word", "a short third word"])
    async def test_a_limit_takes_the_best_under_each_filter(self, database: Database, keep: Keep, row: str) -> None:
        if await searches(database, keep):
            query, without = QUERIES[row]
            await _store(keep, query, without)
            for name, filters in FILTERS.items():
                best = 1 if filters else len(_SESSIONS)
                all_hits = await keep.messages.search(query, limit=100, **filters)
                for limit in range(1, len(all_hits) + 1):
                    hits = await keep.messages.search(query, limit=limit, **filters)
                    assert [hit.message.id for hit in hits] == [hit.message.id for hit in all_hits[:limit]], name
                    assert all(hit.message.id.endswith("best") for hit in hits[:best]), name

    @proves("SRCH-1", "ISO-1")
    @pytest.mark.parametrize("way", _HANDED_ON)
    async def test_messages_are_found_under_the_user_and_agent_that_their_session_came_to(
        self, database: Database, keep: Keep, twin: Keep, way: str
    ) -> None:
        """Also those that an adapter put elsewhere before, with what it then knew of their session."""
        if await searches(database, keep):
            with small_steps(database.enrolment.small_steps):
                await keep.sessions.create("s", user_id="old", agent_name="old")
                for number in range(7):
                    await keep.messages.append("s", [said("needle", id=f"{number} {part}") for part in (1, 2)])
                assert len(await found(keep, "needle", user_id="old", limit=100)) == 14
                await _HANDED_ON[way](keep)
                for view in (keep, twin):
                    for name in ("user_id", "agent_name"):
                        for value in ("old", "new"):
                            filters = cast("Any", {name: value})
                            kept = (await view.sessions.list(**filters)).items
                            wanted = [message.id for each in kept for message in await log(view, each.id)]
                            assert await found(view, "needle", limit=100, **filters) == sorted(wanted), (name, value)

    @proves("SRCH-1", "ISO-2")
    @pytest.mark.parametrize("word", ["q", "needle"])
    async def test_a_hostile_id_narrows_to_its_own(self, database: Database, keep: Keep, word: str) -> None:
        """All of them stand side by side, so that one which is read as a pattern finds the others too."""
        if await searches(database, keep):
            for number, hostile in enumerate(IDS.values()):
                await keep.sessions.create(hostile, user_id=hostile, agent_name=hostile)
                await keep.messages.append(hostile, [NewMessage(role=hostile, id=f"m{number}", content=f"a {word}")])
            for number, hostile in enumerate(IDS.values()):
                for name in ("session_id", "user_id", "agent_name", "role"):
                    filters = cast("Any", {name: hostile})
                    assert await found(keep, word, **filters) == [f"m{number}"], (name, hostile)
                assert await found(keep.for_user(hostile), word) == [f"m{number}"], hostile
            assert len(await found(keep, word, limit=1_000)) == len(IDS)
