"""Several processes on one file, and processes that are killed (ORD-1, ORD-4, FLT-1, WATCH-1)."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from agentkeep import Keep, NewMessage
from agentkeep_sqlite import SQLiteAdapter

pytestmark = pytest.mark.anyio

APPEND = """
import asyncio, sys, agentkeep
from agentkeep import NewMessage
file, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
async def main():
    async with agentkeep.connect(f"sqlite:///{file}") as keep:
        await keep.sessions.get_or_create("s")
        for number in range(count):
            await keep.messages.append("s", [NewMessage(role="user", content="x", id=f"{name}-{number}")])
asyncio.run(main())
"""

BATCHES = """
import asyncio, sys, agentkeep
from agentkeep import NewMessage
async def main():
    keep = await agentkeep.connect(f"sqlite:///{sys.argv[1]}").open()
    await keep.sessions.get_or_create("s")
    async def write(name):
        for number in range(1_000_000):
            batch = [NewMessage(role="user", content="x" * 300, id=f"{name}/{number}/{part}") for part in range(3)]
            await keep.messages.append("s", batch, update={"state": {"turn": number}})
            print(f"{name}/{number}", flush=True)
    await asyncio.gather(*(write(f"{sys.argv[2]}{i}") for i in range(4)))
asyncio.run(main())
"""

FORGETFUL = """
import asyncio, sys, agentkeep
from agentkeep import NewMessage
async def main():
    keep = await agentkeep.connect(f"sqlite:///{sys.argv[1]}").open()
    await keep.sessions.create("s")
    await keep.messages.append("s", [NewMessage(role="user", content="x")])
    await keep.messages.tail("s", 1)
asyncio.run(main())
"""


async def start(program: str, *arguments: object) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *map(str, arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


async def test_four_processes_append_to_one_file_from_cold(file: Path) -> None:
    processes = [await start(APPEND, file, name, 200) for name in range(4)]
    errors = [(await process.communicate())[1].decode() for process in processes]
    assert errors == [""] * 4
    async with Keep(SQLiteAdapter(file)) as keep:
        stored = [message async for message in keep.messages.iterate("s")]
        assert [message.seq for message in stored] == list(range(1, 801))
        assert {message.id for message in stored} == {f"{name}-{i}" for name in range(4) for i in range(200)}
        for name in range(4):
            mine = [message.id for message in stored if message.id.startswith(f"{name}-")]
            assert mine == [f"{name}-{i}" for i in range(200)]
        assert (await keep.sessions.get("s")).message_count == 800


async def test_a_killed_process_loses_nothing_that_it_was_told(file: Path) -> None:
    told: list[str] = []
    for life in range(6):
        process = await start(BATCHES, file, f"life{life}w")
        assert process.stdout is not None
        told += [(await process.stdout.readline()).decode().strip() for _ in range(10 + 7 * life)]
        process.kill()
        rest, _ = await process.communicate()
        told += rest.decode().splitlines()[:-1]  # the last line may be cut
    async with Keep(SQLiteAdapter(file)) as keep:
        stored = [message async for message in keep.messages.iterate("s")]
        assert [message.seq for message in stored] == list(range(1, len(stored) + 1))
        whole = [message.id.rpartition("/")[0] for message in stored[::3]]
        assert [message.id for message in stored] == [f"{batch}/{part}" for batch in whole for part in range(3)]
        assert len(told) > 100
        assert set(told) <= set(whole)
        assert len(set(whole)) == len(whole)
        session = await keep.sessions.get("s")
        assert session.message_count == len(stored)
    with closing(sqlite3.connect(file)) as connection:
        versions = connection.execute("SELECT DISTINCT version FROM agentkeep_message ORDER BY version").fetchall()
    assert [version for (version,) in versions] == list(range(session.version - len(whole) + 1, session.version + 1))


async def test_a_script_that_forgets_close_ends_and_loses_nothing(file: Path) -> None:
    process = await start(FORGETFUL, file)
    async with asyncio.timeout(30):
        _, errors = await process.communicate()
    assert (process.returncode, errors.decode()) == (0, "")
    async with Keep(SQLiteAdapter(file)) as keep:
        assert await keep.messages.count("s") == 1


async def test_watch_sees_what_another_process_appends(keep: Keep, file: Path) -> None:
    await keep.sessions.create("s")
    await keep.messages.append("s", [NewMessage(role="user", content="x", id="first")])
    watching = keep.messages.watch("s", after_seq=0)
    async with asyncio.timeout(60):
        assert (await anext(watching)).id == "first"
        process = await start(APPEND, file, "other", 30)
        seen = [(await anext(watching)).id for _ in range(30)]
        await process.communicate()
        await keep.messages.append("s", [NewMessage(role="user", content="x", id="last")])
        assert (await anext(watching)).id == "last"
    await watching.aclose()
    assert seen == [f"other-{number}" for number in range(30)]


async def test_a_hundred_watchers_see_all_in_order(keep: Keep) -> None:
    await keep.sessions.create("s")

    async def watch() -> list[int]:
        watching = keep.messages.watch("s", after_seq=0)
        seen = [(await anext(watching)).seq for _ in range(20)]
        await watching.aclose()
        return seen

    watchers = [asyncio.ensure_future(watch()) for _ in range(100)]
    for _ in range(20):
        await keep.messages.append("s", [NewMessage(role="user", content="x")])
    async with asyncio.timeout(60):
        assert await asyncio.gather(*watchers) == [list(range(1, 21))] * 100
