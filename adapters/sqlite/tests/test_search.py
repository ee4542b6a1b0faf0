"""The search index: filled by searches, kept in step by removals (SRCH-1, SES-6, TTL-2)."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from agentkeep import Keep, NewMessage, SessionNotFound
from agentkeep_sqlite import SQLiteAdapter
from agentkeep_sqlite.search import INDEX_STEP

pytestmark = pytest.mark.anyio


def said(text: str, id: str | None = None, role: str = "user") -> NewMessage:
    return NewMessage(role=role, content=text, id=id)


def pages(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("PRAGMA page_count").fetchone()[0]


async def found(keep: Keep, query: str) -> list[object]:
    return [hit.message.content for hit in await keep.messages.search(query)]


def indexed(file: Path) -> int:
    """How many messages the index holds."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, agentkeep_search, instance)")
        return connection.execute("SELECT count(DISTINCT doc) FROM temp.terms").fetchone()[0]


async def caught_up(file: Path, expected: int) -> None:
    for _ in range(3_000):
        if indexed(file) >= expected:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"the index holds {indexed(file)} messages, not {expected}")


async def fill_index(keep: Keep, file: Path, expected: int) -> None:
    """Make the index catch up, as it does when more messages than one step can index are new."""
    await keep.sessions.create("filler")
    await keep.messages.append("filler", [said(f"filler {number}") for number in range(INDEX_STEP)])
    await keep.messages.append("filler", [said("filler")])
    assert await found(keep, "absent") == []
    await caught_up(file, expected + INDEX_STEP + 1)
    await keep.sessions.delete("filler")


async def test_an_append_leaves_the_index_alone_and_it_catches_up_after_a_search(keep: Keep, file: Path) -> None:
    await keep.sessions.create("s")
    for number in range(12):
        await keep.messages.append("s", [said(f"number {number} {part}") for part in range(100)])
    assert indexed(file) == 0
    assert await found(keep, "number 11") != []
    await caught_up(file, 1200)
    assert len(await keep.messages.search("number 11 ", limit=1000)) > 100
    await keep.messages.append("s", [said("a new one")])
    assert await found(keep, "new one") == ["a new one"]
    assert indexed(file) == 1200


TEXTS = [
    "今天天气很好，我们去公园",
    "def __init__(self) -> None:",
    'He said "stop" - and left',
    "Straße nach Köln",
    "a NUL \0 between",
    "100% of a_b*c?",
    "ไม่มีปัญหา",
    "x",
]


@pytest.mark.parametrize(
    ("query", "row"),
    [
        ("天气", 0),
        ("好", 0),
        ("公园 天气", 0),
        ("__init__", 1),
        ("-> none:", 1),
        ('"stop"', 2),
        ("- AND left", 2),
        ("STRASSE", 3),
        ("KÖLN", 3),
        ("between", 4),
        ("nul \0 BETWEEN", 4),
        ("a_b*c?", 5),
        ("00%", 5),
        ("มีปัญหา", 6),
        ("X", 7),
    ],
)
async def test_any_text_is_found_by_any_query(keep: Keep, query: str, row: int) -> None:
    await keep.sessions.create("s")
    await keep.messages.append("s", [said(text) for text in TEXTS])
    assert TEXTS[row] in await found(keep, query)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        "\0",
        '"',
        "'",
        "*",
        "NEAR(",
        "a OR",
        "text:x",
        "^zz",
        "{zz}",
        'zz" OR "x',
        "zz " * 5_000,
        "z" * 50_000,
    ],
)
async def test_a_query_is_data(keep: Keep, query: str) -> None:
    await keep.sessions.create("s")
    await keep.messages.append("s", [said("nothing of that")])
    assert await found(keep, query) == []


async def test_a_long_query_has_to_be_there_to_its_end(keep: Keep) -> None:
    long = " ".join(f"word{number}" for number in range(300)) + " " + "y" * 5_000
    await keep.sessions.create("s")
    await keep.messages.append("s", [said(long), said(long[:-1] + "z")])
    assert await found(keep, long) == [long]
    assert await found(keep, long + " word300") == []


async def test_highlights_mark_what_was_found(keep: Keep) -> None:
    await keep.sessions.create("s")
    await keep.messages.append("s", [said("Before " * 20 + "the Match and more" + " after" * 20)])
    [hit] = await keep.messages.search("match")
    [highlight] = hit.highlights
    assert "the **Match** and more" in highlight
    assert len(highlight) < 100


async def test_hits_are_the_best_first_and_limited(keep: Keep) -> None:
    await keep.sessions.create("s")
    texts = ["apple " * 9, "apple and a lot of other words that are no fruit at all", "pear"]
    await keep.messages.append("s", [said(text) for text in texts])
    hits = await keep.messages.search("apple")
    assert [hit.message.content for hit in hits] == texts[:2]
    assert hits[0].score > hits[1].score
    assert len(await keep.messages.search("apple", limit=1)) == 1


@pytest.mark.parametrize("is_indexed", [True, False])
async def test_what_is_removed_is_not_found_and_what_stays_is(keep: Keep, file: Path, is_indexed: bool) -> None:
    for name in ("s", "t", "u"):
        await keep.sessions.create(name)
        await keep.messages.append(name, [said(f"apple {name}{number}", id=f"{name}{number}") for number in range(6)])
    if is_indexed:
        await fill_index(keep, file, 18)
    await keep.messages.truncate("s", after_seq=4)
    await keep.messages.trim("s", keep_last=2)
    await keep.messages.pop("s")
    await keep.messages.update("s", "s2", content="pear")
    await keep.sessions.delete("t")
    await keep.messages.append("u", [said("apple new")], keep_last=1)
    await keep.sessions.fork("u", new_id="v")
    assert await found(keep, "pear") == ["pear"]
    assert await found(keep, "apple") == ["apple new"] * 2
    assert indexed(file) == (1 if is_indexed else 0)
    await keep.messages.clear("s")
    assert await found(keep, "pear") == []


async def test_an_index_entry_never_belongs_to_a_later_message(keep: Keep) -> None:
    """The newest key of a table would be given again without AUTOINCREMENT, and then never be indexed."""
    await keep.sessions.create("s")
    await keep.messages.append("s", [said("apple")])
    assert await found(keep, "apple") == ["apple"]
    await keep.messages.pop("s")
    await keep.messages.append("s", [said("pear")])
    assert await found(keep, "pear") == ["pear"]
    assert await found(keep, "apple") == []


async def test_search_is_scoped_and_filtered(keep: Keep) -> None:
    await keep.sessions.create("s", user_id="u", agent_name="a")
    await keep.sessions.create("t", user_id="v", agent_name="b")
    for name in ("s", "t"):
        await keep.messages.append(name, [said("apple", role="user"), said("apple", role="assistant")])
    search = keep.messages.search
    counts = [
        len(await search("apple")),
        len(await search("apple", role="user")),
        len(await search("apple", user_id="u")),
        len(await search("apple", agent_name="b", role="assistant")),
        len(await search("apple", session_id="t")),
        len(await keep.for_user("u").messages.search("apple")),
        len(await keep.for_user("u").messages.search("ap")),
        len(await keep.for_tenant("other").messages.search("apple")),
    ]
    assert counts == [4, 2, 2, 1, 2, 2, 2, 0]
    with pytest.raises(SessionNotFound):
        await keep.for_user("u").messages.search("apple", session_id="t")


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


async def test_after_a_sweep_no_byte_of_what_went_is_left(file: Path) -> None:
    clock = Clock()
    async with Keep(SQLiteAdapter(file, clock=clock)) as keep:
        for number in range(24):
            ttl = timedelta(minutes=1) if number % 3 == 0 else None
            canary = f"canary{number % 3}"
            await keep.sessions.create(f"s{number}", title=canary, metadata={"k": canary}, state={"k": canary}, ttl=ttl)
        for size in (1, 5, 60, 700, 40, 300):
            for number in range(24):
                await keep.messages.append(f"s{number}", [said(f"canary{number % 3} " * size) for _ in range(3)])
        await fill_index(keep, file, 432)
        for number in range(1, 24, 3):
            await keep.sessions.delete(f"s{number}")
        clock.time += timedelta(minutes=2)
        assert await keep.sweep() == 8
        assert len(await keep.messages.search("canary", limit=1000)) == 144
        stored = b"".join(part.read_bytes() for part in file.parent.glob("keep.db*"))
        assert b"canary2" in stored
        assert b"canary0" not in stored
        assert b"canary1" not in stored
        pieces = _terms(file)
        assert "ry2" in pieces
        assert not pieces & {"ry0", "ry1"}


def _terms(file: Path) -> set[str]:
    """The pieces that the index holds."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, agentkeep_search, instance)")
        return {row[0] for row in connection.execute("SELECT term FROM temp.terms")}


async def test_a_large_file_is_left_to_its_owner_and_health_says_so(
    keep: Keep, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep.sessions.create("s")
    await keep.messages.append("s", [said("x" * 3000) for _ in range(200)])
    await keep.messages.trim("s", keep_last=100)
    size = pages(file)
    monkeypatch.setattr("agentkeep_sqlite.sweep.REWRITTEN_BYTES", 1000)
    await keep.sweep()
    assert pages(file) == size
    assert [warning for warning in (await keep.health()).warnings if "VACUUM" in warning]
    monkeypatch.undo()
    await keep.sweep()
    assert pages(file) < size * 0.6
    assert (await keep.health()).warnings == []
