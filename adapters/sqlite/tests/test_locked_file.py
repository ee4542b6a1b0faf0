"""Opening a file that somebody has locked, or that this user may not use (FLT-5, ERR-2)."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from agentkeep import ConfigurationError, Keep, Unavailable
from agentkeep_sqlite import SQLiteAdapter

pytestmark = pytest.mark.anyio


@pytest.fixture
def holder(file: Path) -> Iterator[sqlite3.Connection]:
    """Writes to a file without a write-ahead log: nobody can turn the log on, and SQLite does not wait for that."""
    with closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield holder


async def test_a_lock_that_stays_is_unavailable_after_the_busy_timeout(file: Path, holder: sqlite3.Connection) -> None:
    much_later = asyncio.get_running_loop().call_later(5, holder.rollback)  # else a wait without end hangs the test
    with pytest.raises(Unavailable, match="locked"):
        await SQLiteAdapter(file, busy_timeout=timedelta(seconds=0.05)).open()
    much_later.cancel()


async def test_a_lock_that_goes_soon_is_waited_for(file: Path, holder: sqlite3.Connection) -> None:
    asyncio.get_running_loop().call_later(0.1, holder.rollback)
    async with Keep(SQLiteAdapter(file, busy_timeout=timedelta(seconds=30))) as keep:
        assert (await keep.sessions.create("s")).id == "s"


@pytest.mark.parametrize(("refused", "said"), [("", "write to the directory"), ("keep.db", "read and write the file")])
def test_what_this_user_may_not_use_is_said(
    file: Path, monkeypatch: pytest.MonkeyPatch, refused: str, said: str
) -> None:
    def access(path: Path, mode: int) -> bool:  # root, who may run this test, may do everything
        return path != file.parent / refused

    file.touch()
    monkeypatch.setattr(os, "access", access)
    with pytest.raises(ConfigurationError, match=said):
        asyncio.run(SQLiteAdapter(file).open())
