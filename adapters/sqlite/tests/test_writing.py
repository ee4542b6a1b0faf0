"""The writing thread: shared commits, one's own errors, full disks, cancelling, loops (ORD-6, ERR-2, FLT-1, FLT-3)."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from agentkeep import Closed, Keep, NewMessage, OutcomeUnknown, Unavailable
from agentkeep_sqlite import SQLiteAdapter, commit
from agentkeep_sqlite.client import Connection, DriverConnection
from agentkeep_sqlite.urls import Database

pytestmark = pytest.mark.anyio


def said(text: str = "x", id: str | None = None) -> NewMessage:
    return NewMessage(role="user", content=text, id=id)


class Commits:
    """Counts the groups that the writing thread commits, and their writes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        whole = commit.commit_together

        def counted(db: DriverConnection, jobs: Any, *arguments: Any) -> None:
            self.sizes.append(len(jobs))
            whole(db, jobs, *arguments)

        monkeypatch.setattr("agentkeep_sqlite.threads.commit_together", counted)


async def held(file: Path, calls: list[Any]) -> list[Any]:
    """Start calls while another connection holds the write lock, so that they wait together; their outcomes."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        tasks = [asyncio.ensure_future(call) for call in calls]
        await asyncio.sleep(0)  # each has queued its write now
        other.execute("ROLLBACK")
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_writes_that_wait_together_share_commits(keep: Keep, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await keep.sessions.create("s")
    commits = Commits(monkeypatch)
    landed = await held(file, [keep.messages.append("s", [said(str(i))]) for i in range(50)])
    assert sorted(message.seq for (message,) in landed) == list(range(1, 51))
    assert sum(commits.sizes) == 50
    assert len(commits.sizes) <= 2  # the first write may have set out alone


async def test_a_transaction_that_sqlite_rolls_back_takes_no_acknowledged_write_along(keep: Keep, file: Path) -> None:
    """FLT-1: the trigger stands for what makes SQLite do so by itself, such as a full disk."""
    names = [f"s{number}" for number in range(20)]
    for name in names:
        await keep.sessions.create(name)
    with closing(sqlite3.connect(file)) as other:
        other.execute(
            "CREATE TRIGGER full BEFORE INSERT ON agentkeep_message WHEN new.id = 'poison'"
            " BEGIN SELECT raise(ROLLBACK, 'full'); END"
        )
    ids = {name: "poison" if name == "s12" else "m" for name in names}
    landed = await held(file, [keep.messages.append(name, [said(id=ids[name])]) for name in names])
    acknowledged = {name: not isinstance(outcome, Exception) for name, outcome in zip(names, landed, strict=True)}
    assert acknowledged == {name: name != "s12" for name in names}
    assert {name: bool(await keep.messages.count(name)) for name in names} == acknowledged


async def test_an_error_in_a_shared_commit_is_its_own(keep: Keep, file: Path) -> None:
    await keep.sessions.create("s")
    await keep.messages.append("s", [said("old", id="m")])
    calls: list[Any] = [
        keep.messages.append("s", [said("1")]),
        keep.messages.append("absent", [said("2")]),
        keep.messages.append("s", [said("3")], truncate_after=0, expected_version=9),
        keep.messages.append("s", [said("new", id="m")]),
        keep.sessions.create("s"),
        keep.messages.append("s", [said("4")]),
    ]
    outcomes = await held(file, calls)
    kinds = [type(outcome).__name__ for outcome in outcomes]
    assert kinds == ["Appended", "SessionNotFound", "Conflict", "Conflict", "AlreadyExists", "Appended"]
    assert [message.content for message in await keep.messages.tail("s", 9)] == ["old", "1", "4"]


async def test_an_error_after_half_of_a_write_takes_that_half_back(
    keep: Keep, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep.sessions.create("s")
    await keep.messages.append("s", [said("old")])
    whole = DriverConnection.run

    def failing(self: DriverConnection, sql: str, values: Any = ()) -> int:
        if "message_count = " in sql and values["message_count"] == 1 and "removed" not in values:
            raise sqlite3.OperationalError("planted")
        return whole(self, sql, values)

    monkeypatch.setattr(DriverConnection, "run", failing)
    lost, kept = await held(
        file, [keep.messages.append("s", [said("lost")], truncate_after=0), keep.messages.append("s", [said("kept")])]
    )
    assert isinstance(lost, Exception)
    assert [message.seq for message in kept] == [2]
    assert [message.content for message in await keep.messages.tail("s", 9)] == ["old", "kept"]


async def test_a_full_disk_is_unavailable_and_loses_nothing(
    keep: Keep, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep.sessions.create("s")
    await keep.messages.append("s", [said("kept")])
    await keep.close()
    connect = Database.connect

    def bounded(self: Database) -> sqlite3.Connection:
        connection = connect(self)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 20}")
        return connection

    monkeypatch.setattr(Database, "connect", bounded)
    await keep.open()
    big = said("x" * 400_000)
    outcomes = await held(
        file, [keep.messages.append("s", [said("small")]), *(keep.messages.append("s", [big]) for _ in range(3))]
    )
    assert [message.content for message in outcomes[0]] == ["small"]
    assert [type(outcome) for outcome in outcomes[1:]] == [Unavailable] * 3
    assert isinstance(outcomes[1].__cause__, sqlite3.Error)
    assert outcomes[1].__cause__.sqlite_errorname == "SQLITE_FULL"
    assert (await keep.messages.append("s", [said("after")]))[0].seq == 3
    assert (await keep.sessions.get("s")).message_count == 3
    assert [message.content for message in await keep.messages.tail("s", 9)] == ["kept", "small", "after"]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (sqlite3.SQLITE_IOERR_FSYNC, OutcomeUnknown),
        (sqlite3.SQLITE_FULL, Unavailable),
        (sqlite3.SQLITE_BUSY, Unavailable),
    ],
)
async def test_a_commit_that_fails_says_whether_it_may_have_landed(
    keep: Keep, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Exception]
) -> None:
    await keep.sessions.create("s")

    whole = commit.commit_together

    def failing(db: DriverConnection, jobs: Any, *arguments: Any) -> None:
        whole(FailingCommit(db, code), jobs, *arguments)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr("agentkeep_sqlite.threads.commit_together", failing)
    with pytest.raises(error) as caught:
        await keep.messages.append("s", [said()])
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    monkeypatch.undo()
    assert (await keep.messages.append("s", [said()]))[0].seq == 1


class FailingCommit:
    """A connection whose COMMIT fails with a code of SQLite's."""

    def __init__(self, db: DriverConnection, code: int) -> None:
        self._db = db
        self._code = code
        self.driver = self

    @property
    def in_transaction(self) -> bool:
        return self._db.driver.in_transaction

    def execute(self, sql: str, *values: Any) -> Any:
        if sql == "COMMIT":
            error = sqlite3.OperationalError("planted")
            error.sqlite_errorcode = self._code
            raise error
        return self._db.driver.execute(sql, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


async def test_another_process_that_never_lets_go_makes_it_unavailable(file: Path) -> None:
    async with Keep(SQLiteAdapter.from_url(f"sqlite:///{file}", busy_timeout=0.05)) as keep:
        await keep.sessions.create("s")
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable):
                await keep.messages.append("s", [said()])
            assert await keep.messages.tail("s", 5) == []
        assert (await keep.messages.append("s", [said()]))[0].seq == 1


async def test_cancelled_writes_land_wholly_or_not_at_all(keep: Keep) -> None:
    await keep.sessions.create("s")
    for turn in range(60):
        tasks = [asyncio.ensure_future(keep.messages.append("s", [said(), said()])) for _ in range(4)]
        for _ in range(turn % 6):
            await asyncio.sleep(0)
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    session = await keep.sessions.get("s")
    stored = [message.seq async for message in keep.messages.iterate("s")]
    assert stored == list(range(1, session.last_seq + 1))
    assert session.message_count == len(stored) >= 120
    assert session.last_seq % 2 == 0


async def test_close_finishes_what_was_accepted(file: Path) -> None:
    keep = await Keep(SQLiteAdapter(file)).open()
    await keep.sessions.create("s")
    tasks = [asyncio.ensure_future(keep.messages.append("s", [said()])) for _ in range(20)]
    await asyncio.sleep(0)
    await keep.close()
    assert sorted(message.seq for (message,) in await asyncio.gather(*tasks)) == list(range(1, 21))
    with pytest.raises(Closed):
        await keep.messages.append("s", [said()])


def test_one_adapter_serves_a_second_event_loop(file: Path) -> None:
    keep = Keep(SQLiteAdapter(file))

    async def first() -> None:
        await keep.open()
        await keep.sessions.create("s")

    async def second() -> int:
        [message] = await keep.messages.append("s", [said()])
        assert await keep.messages.get("s", message.id) == message
        await keep.close()
        return message.seq

    asyncio.run(first())
    assert asyncio.run(second()) == 1


async def test_two_loops_in_two_threads_share_the_log(keep: Keep) -> None:
    await keep.sessions.create("s")

    async def append_some() -> list[int]:
        return [(await keep.messages.append("s", [said()]))[0].seq for _ in range(50)]

    there = asyncio.get_running_loop().run_in_executor(None, lambda: asyncio.run(append_some()))
    here = await append_some()
    assert sorted(here + await there) == list(range(1, 101))


async def test_after_a_fork_the_parents_adapter_says_so(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = os.getpid()
    monkeypatch.setattr("agentkeep_sqlite.threads.os.getpid", lambda: pid + 1)
    with pytest.raises(Closed, match="forked"):
        await keep.sessions.create("s")
    monkeypatch.undo()
    assert (await keep.sessions.create("s")).id == "s"


async def test_others_get_the_lock_between_the_steps_of_idle_work(keep: Keep, file: Path) -> None:
    """COST-3: SQLite's lock is not fair, so the writing thread pauses for as long as a step took."""
    held_for, steps = 0.03, 10
    done: list[float] = []

    def step(db: Connection) -> bool:
        time.sleep(held_for)
        done.append(time.monotonic())
        return len(done) < steps

    adapter = keep.adapter
    assert isinstance(adapter, SQLiteAdapter)
    await adapter._client.run_when_idle(step)  # pyright: ignore[reportPrivateUsage]
    got = 0
    with closing(sqlite3.connect(file, isolation_level=None, timeout=0)) as other:
        while len(done) < steps:
            try:
                other.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                await asyncio.sleep(0.002)
                continue
            other.execute("ROLLBACK")
            got += 1
            await asyncio.sleep(held_for)
    assert got >= steps // 2
