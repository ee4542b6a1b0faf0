"""What the words of a search mean, and what is searched: the same on every backend (SRCH-1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import pytest
from agentkeep import Hit, Keep, NewMessage, View
from agentkeep.transfer import restore
from msgspec.structs import replace

from agentkeep_conformance.clauses import needs_wire, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.faults import bench_of
from agentkeep_conformance.families.searching import found, searches
from agentkeep_conformance.meanings import MEANINGS
from agentkeep_conformance.samples import said, whole

_NUMBERS = "one two three four five six seven eight nine ten eleven twelve"
PLACES: dict[str, tuple[dict[str, Any], bool]] = {
    "content": ({"content": "needle"}, True),
    "a part of content": ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "a needle"}]}, True),
    "the event of a message without content": ({"event": {"item": [{"text": "needle"}]}}, True),
    "an event that is a string": ({"event": "needle"}, True),
    "the event of a message with content": ({"content": "other", "event": {"text": "needle"}}, False),
    "the event of a message with empty content": ({"content": "", "event": {"text": "needle"}}, False),
    "a tool call": ({"tool_calls": [{"id": "c", "function": {"name": "needle", "arguments": "needle"}}]}, False),
    "the name": ({"content": "other", "name": "needle"}, False),
    "metadata": ({"content": "other", "metadata": {"text": "needle"}}, False),
    "the turn, route and step": ({"content": "other", "turn_id": "needle", "route": "needle", "step": "needle"}, False),
}
"""Where a word stands in a message, and whether a search finds it there."""


class Kept(NamedTuple):
    """One message of `_library` and what a search may be narrowed by."""

    id: str
    session_id: str
    user_id: str | None
    agent_name: str | None
    role: str


async def _library(keep: View) -> list[Kept]:
    """Eight sessions of two users and of nobody, two agents and none; in each a message of two roles."""
    kept: list[Kept] = []
    people = [("u1", "a1"), ("u1", "a2"), ("u2", "a1"), ("u2", "a2"), (None, "a1"), ("u1", None), (None, None)]
    for number, (user_id, agent_name) in enumerate(people):
        session_id = f"s{number}"
        await keep.sessions.create(session_id, user_id=user_id, agent_name=agent_name)
        for role in ("user", "assistant"):
            message_id = f"{session_id} {role}"
            await keep.messages.append(session_id, [NewMessage(role=role, content="the word", id=message_id)])
            kept.append(Kept(message_id, session_id, user_id, agent_name, role))
    return kept


_FILTERS = {
    "session_id": ["s0", "s4"],
    "user_id": ["u1", "u2"],
    "agent_name": ["a1", "a2"],
    "role": ["user", "assistant", "tool"],
}
_CHOICES = [names for size in (1, 2, 3, 4) for names in combinations(_FILTERS, size)]


def _values(names: Sequence[str]) -> list[dict[str, str]]:
    """Every choice of values for these filters."""
    chosen: list[dict[str, str]] = [{}]
    for name in names:
        chosen = [{**each, name: value} for each in chosen for value in _FILTERS[name]]
    return chosen


async def _restore_copy(keep: View) -> None:
    session, messages = await whole(keep, "s")
    await restore(keep, replace(session, id="copy"), [replace(each, session_id="copy") for each in messages])


_COPIES: dict[str, Callable[[View], Awaitable[Any]]] = {
    "fork": lambda keep: keep.sessions.fork("s", new_id="copy"),
    "restore": _restore_copy,
}


class SearchWords:
    @proves("SRCH-1", "ISO-2")
    @pytest.mark.parametrize("row", MEANINGS)
    async def test_a_search_means_the_same_everywhere(self, database: Database, keep: Keep, row: str) -> None:
        if await searches(database, keep):
            text, queries, others = MEANINGS[row]
            await keep.sessions.create("s")
            await keep.messages.append("s", [said(text, id="m"), said("nothing of the kind", id="other")])
            assert [query for query in queries if "m" not in await found(keep, query)] == [], "these must find it"
            assert [query for query in others if "m" in await found(keep, query)] == [], "these must not"

    @proves("SRCH-1")
    @pytest.mark.parametrize("way", ["redaction", "fork", "restore"])
    async def test_a_search_means_the_same_however_a_text_came(self, database: Database, keep: Keep, way: str) -> None:
        if await searches(database, keep):
            texts = {row: "before" if way == "redaction" else text for row, (text, _, _) in MEANINGS.items()}
            await keep.messages.append("s", [said(text, id=row) for row, text in texts.items()], create={})
            if way == "redaction":
                for row, (text, _, _) in MEANINGS.items():
                    await keep.messages.update("s", row, content=text)
            else:
                await _COPIES[way](keep)
                await keep.sessions.delete("s")
            for row, (_, queries, others) in MEANINGS.items():
                assert [query for query in queries if row not in await found(keep, query)] == [], "these must find it"
                assert [query for query in others if row in await found(keep, query)] == [], "these must not"

    @proves("SRCH-1")
    async def test_every_word_of_a_long_query_must_occur(self, database: Database, keep: Keep) -> None:
        if await searches(database, keep):
            await keep.sessions.create("s")
            await keep.messages.append("s", [said(_NUMBERS, id="m")])
            words = _NUMBERS.split()
            for number in range(len(words)):
                changed = [*words[:number], f"{words[number]}x", *words[number + 1 :]]
                assert await found(keep, " ".join(changed)) == [], f"word {number + 1} does not occur"
            assert await found(keep, " ".join(reversed(words))) == ["m"]

    @proves("SRCH-1")
    async def test_two_thousand_words_are_all_looked_for(self, database: Database, keep: Keep) -> None:
        if await searches(database, keep):
            words = [f"w{number}e" for number in range(2_000)]
            await keep.sessions.create("s")
            texts = {"all": words, "all but one": [*words[:1_500], *words[1_501:]]}
            await keep.messages.append("s", [said(" ".join(text), id=name) for name, text in texts.items()])
            assert await found(keep, " ".join(words)) == ["all"]
            assert await found(keep, " ".join(texts["all but one"])) == ["all", "all but one"]

    @proves("SRCH-1")
    @pytest.mark.parametrize("size", [1_000, 100_000])
    async def test_a_very_long_word_is_a_word(self, database: Database, keep: Keep, size: int) -> None:
        if await searches(database, keep):
            await keep.sessions.create("s")
            await keep.messages.append(
                "s", [said("é" * (size // 2), id="m"), said("é" * (size // 2 - 1), id="shorter")]
            )
            assert await found(keep, "É" * (size // 2)) == ["m"]
            assert await found(keep, "é" * (size // 2 + 1)) == []

    @proves("SRCH-1")
    async def test_a_word_that_is_repeated_is_one_word(self, database: Database, keep: Keep) -> None:
        if await searches(database, keep):
            await keep.sessions.create("s")
            await keep.messages.append("s", [said(text, id=text) for text in ("ab", "ab cd", "ab ab", "cd")])
            for query in ("ab", "ab cd"):
                once = await keep.messages.search(query)
                assert await keep.messages.search(f"{query} " * 20_000) == once
                assert await keep.messages.search(f"{query} {query.upper()}") == once

    @proves("SRCH-1", "COST-1")
    async def test_repeated_words_are_no_work(self, database: Database) -> None:
        """A query of 100 kB that says one word again and again costs what the word costs."""
        adapter = database.unopened()
        async with Keep(adapter) as keep:
            if await searches(database, keep):
                await keep.sessions.create("s")
                await keep.messages.append("s", [said(f"word {number}") for number in range(50)])
                costs = [await _work(database, adapter, keep, query) for query in ("word", "word " * 20_000)]
                assert costs[1] <= costs[0] * 1.5 + 50, (
                    f"{costs[0]} steps for the word once, {costs[1]} for it repeated"
                )

    @proves("SRCH-1", "COST-1")
    @needs_wire
    async def test_repeated_words_are_not_sent(self, database: Database) -> None:
        async with bench_of(database) as bench:
            keep, _ = await bench.furnished()
            if await searches(database, keep):
                sent: list[tuple[int, int]] = []
                for query in ("old", "old " * 25_000):
                    await keep.messages.search(query)
                    bench.proxy.reset()
                    assert len(await keep.messages.search(query)) == 15
                    sent.append((bench.proxy.traffic.round_trips, bench.proxy.traffic.sent))
                assert sent[1][0] == sent[0][0]
                assert sent[1][1] <= sent[0][1] + 256

    @proves("SRCH-1")
    @pytest.mark.parametrize("place", PLACES)
    async def test_the_text_of_content_is_searched_and_nothing_else(
        self, database: Database, keep: Keep, place: str
    ) -> None:
        if await searches(database, keep):
            fields, is_found = PLACES[place]
            await keep.sessions.create("s", title="needle", metadata={"needle": "needle"}, state={"k": "needle"})
            await keep.messages.append("s", [NewMessage(role="assistant", id="m", **fields)])
            assert await found(keep, "needle") == (["m"] if is_found else [])

    @proves("SRCH-1")
    async def test_words_do_not_run_from_one_part_into_the_next(self, database: Database, keep: Keep) -> None:
        if await searches(database, keep):
            await keep.sessions.create("s")
            parts = [{"type": "text", "text": "sun"}, {"type": "text", "text": "flower"}]
            await keep.messages.append("s", [said(parts, id="m")])
            assert await found(keep, "sunflower") == []
            assert await found(keep, "flower sun") == ["m"]

    @proves("SRCH-1", "ISO-1")
    @pytest.mark.parametrize("names", _CHOICES, ids=" and ".join)
    async def test_each_filter_narrows_alone_and_with_others(
        self, database: Database, keep: Keep, names: Sequence[str]
    ) -> None:
        if await searches(database, keep):
            kept = await _library(keep)
            for values in _values(names):
                wanted = [row.id for row in kept if all(getattr(row, name) == value for name, value in values.items())]
                assert await found(keep, "word", **values) == sorted(wanted), values
                if values.get("session_id", "s0") == "s0":
                    theirs = [row.id for row in kept if row.user_id == "u1" and row.id in wanted]
                    assert await found(keep.for_user("u1"), "word", **values) == sorted(theirs), values

    @proves("SRCH-1")
    async def test_fewer_hits_are_the_first_of_more(self, database: Database, keep: Keep) -> None:
        if await searches(database, keep):
            for number in range(3):
                await keep.sessions.create(f"s{number}")
                texts = ["word " * (1 + (part + number) % 4) for part in range(8)]
                await keep.messages.append(f"s{number}", [said(text) for text in texts])
            hits = await keep.messages.search("word", limit=100)
            assert len(hits) == 24
            assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
            for limit in range(1, 25):
                assert _found_in(await keep.messages.search("word", limit=limit)) == _found_in(hits)[:limit], limit

    @proves("SRCH-1")
    @pytest.mark.parametrize("query", ["needle", "ab"])
    async def test_the_best_is_first_also_if_it_is_the_oldest(self, database: Database, keep: Keep, query: str) -> None:
        """With the same number of words in each text, the one that has the word most often is the best."""
        if await searches(database, keep):
            await keep.sessions.create("s")
            await keep.messages.append("s", [said(" ".join([query] * 6), id="best")])
            for _ in range(2):
                await keep.messages.append("s", [said(f"some {query} in a stack of hay")] * 100)
            assert _found_in(await keep.messages.search(query, limit=1)) == [("s", "best")]

    @proves("SRCH-1")
    async def test_highlights_show_the_text_as_it_is_written(self, database: Database, keep: Keep) -> None:
        if await searches(database, keep):
            await keep.sessions.create("s")
            shown = {"Die Straße nach İzmir": "strasse", "The QUICK fox": "quick", "ﬁrst ﬁle": "file", "航班信息": "信"}
            marked = ["Die **Straße** nach İzmir", "The **QUICK** fox", "ﬁrst **ﬁle**", "航班**信**息"]
            for (text, query), highlight in zip(shown.items(), marked, strict=True):
                await keep.messages.append("s", [said(text)])
                [hit] = await keep.messages.search(query)
                assert hit.message.content == text
                assert hit.highlights == [highlight]

    @proves("SRCH-1", "ISO-1")
    @pytest.mark.parametrize("narrow", ["session", "user", "user's view"])
    async def test_a_narrow_search_does_not_pay_for_the_hits_of_others(self, database: Database, narrow: str) -> None:
        adapter = database.unopened()
        async with Keep(adapter) as keep:
            if await searches(database, keep):
                call = _NARROW[narrow]
                await _fill(keep, "mine", "me", 30)
                costs: list[int] = []
                for number in range(3):
                    await _fill(keep, f"theirs{number}", f"other{number}", 40 + 1_000 * number)
                    assert len(await call(keep)) == 20
                    costs.append(min([await database.enrolment.work(adapter, lambda: call(keep)) for _ in range(3)]))
                assert costs[-1] <= costs[0] * 2 + 100, f"{costs} steps as the hits of others grow"


_NARROW: dict[str, Callable[[View], Any]] = {
    "session": lambda keep: keep.messages.search("word here", session_id="mine"),
    "user": lambda keep: keep.messages.search("word here", user_id="me"),
    "user's view": lambda keep: keep.for_user("me").messages.search("word here"),
}


async def _fill(keep: View, session_id: str, user_id: str, count: int) -> None:
    await keep.sessions.create(session_id, user_id=user_id)
    for start in range(0, count, 500):
        batch = [said(f"the word stands here {number}") for number in range(start, min(start + 500, count))]
        await keep.messages.append(session_id, batch)


def _found_in(hits: Sequence[Hit]) -> list[tuple[str, str]]:
    return [(hit.message.session_id, hit.message.id) for hit in hits]


async def _work(database: Database, adapter: Any, keep: View, query: str) -> int:
    assert len(await keep.messages.search(query, limit=100)) == 50
    return min([await database.enrolment.work(adapter, lambda: keep.messages.search(query)) for _ in range(3)])
