"""SQLite's errors and damaged rows, as users meet them (ERR-1, ERR-2, ERR-4)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from agentkeep import (
    ConfigurationError,
    Corrupt,
    Keep,
    NewMessage,
    OutcomeUnknown,
    PersistenceError,
    Refused,
    SchemaMissing,
    Unavailable,
)
from agentkeep_sqlite.errors import Phase, translated
from sqlalchemy.exc import OperationalError

ROWS: list[tuple[int, Phase, type[PersistenceError]]] = [
    (sqlite3.SQLITE_BUSY, Phase.WORKING, Unavailable),
    (sqlite3.SQLITE_BUSY_SNAPSHOT, Phase.WORKING, Unavailable),
    (sqlite3.SQLITE_BUSY, Phase.COMMITTING, Unavailable),
    (sqlite3.SQLITE_LOCKED, Phase.OPENING, Unavailable),
    (sqlite3.SQLITE_FULL, Phase.WORKING, Unavailable),
    (sqlite3.SQLITE_FULL, Phase.COMMITTING, Unavailable),
    (sqlite3.SQLITE_IOERR_WRITE, Phase.WORKING, Unavailable),
    (sqlite3.SQLITE_IOERR_FSYNC, Phase.COMMITTING, OutcomeUnknown),
    (sqlite3.SQLITE_NOMEM, Phase.WORKING, Unavailable),
    (sqlite3.SQLITE_CANTOPEN, Phase.OPENING, ConfigurationError),
    (sqlite3.SQLITE_CANTOPEN, Phase.WORKING, Unavailable),
    (sqlite3.SQLITE_READONLY, Phase.OPENING, ConfigurationError),
    (sqlite3.SQLITE_READONLY_DBMOVED, Phase.WORKING, Unavailable),
    (sqlite3.SQLITE_NOTADB, Phase.OPENING, ConfigurationError),
    (sqlite3.SQLITE_NOTADB, Phase.WORKING, Corrupt),
    (sqlite3.SQLITE_CORRUPT, Phase.OPENING, Corrupt),
    (sqlite3.SQLITE_CORRUPT_VTAB, Phase.WORKING, Corrupt),
    (sqlite3.SQLITE_TOOBIG, Phase.WORKING, Refused),
    (sqlite3.SQLITE_CONSTRAINT_UNIQUE, Phase.WORKING, Refused),
    (sqlite3.SQLITE_AUTH, Phase.WORKING, Refused),
    (sqlite3.SQLITE_ERROR, Phase.WORKING, SchemaMissing),
]


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize(("code", "phase", "expected"), ROWS)
def test_each_code_has_its_error(code: int, phase: Phase, expected: type[PersistenceError], wrapped: bool) -> None:
    driver = sqlite3.OperationalError("said by SQLite")
    driver.sqlite_errorcode = code
    error = OperationalError("SELECT", {}, driver) if wrapped else driver
    ours = translated(error, phase, "keep.db")
    assert type(ours) is expected
    assert "keep.db" in str(ours)
    assert ours.__cause__ is error


def spoil(file: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        assert connection.execute(statement, values).rowcount == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    "wrong",
    [
        "payload = '{broken'",
        "payload = CAST(x'7bff7d' AS TEXT)",
        "payload = x'00'",
        "created_at = 'soon'",
        "role = x'00'",
    ],
)
async def test_a_damaged_message_is_named_and_left_alone(keep: Keep, file: Path, wrong: str) -> None:
    await keep.sessions.create("s")
    await keep.messages.append("s", [NewMessage(role="user", content=text, id=text) for text in ("apple", "pear")])
    spoil(file, f"UPDATE agentkeep_message SET {wrong} WHERE id = 'pear'")  # noqa: S608 - from the table above
    for call in (
        keep.messages.tail("s", 5),
        keep.messages.get("s", "pear"),
        keep.messages.update("s", "pear", name="n"),
    ):
        with pytest.raises(Corrupt, match="'pear'"):
            await call
    assert (await keep.messages.get("s", "apple")).content == "apple"
    assert [hit.message.id for hit in await keep.messages.search("apple")] == ["apple"]
    assert (await keep.sessions.get("s")).message_count == 2
    assert await keep.sessions.delete("s")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "wrong", ["state = '{broken'", "state = x'00'", "title = CAST(x'ff' AS TEXT)", "metadata = 'x'"]
)
async def test_a_damaged_session_is_named(keep: Keep, file: Path, wrong: str) -> None:
    await keep.sessions.create("s")
    spoil(file, f"UPDATE agentkeep_session_data SET {wrong}")  # noqa: S608 - from the table above
    for call in (keep.sessions.get("s"), keep.sessions.list(), keep.sessions.update("s", title="t")):
        with pytest.raises(Corrupt, match="'s'"):
            await call


@pytest.mark.anyio
async def test_a_session_whose_half_is_gone_is_damaged_not_absent(keep: Keep, file: Path) -> None:
    """ERR-4: no verb passes over it, and none makes another in its place."""
    await keep.sessions.create("s")
    spoil(file, "DELETE FROM agentkeep_session_data")
    for call in (
        keep.sessions.get("s"),
        keep.sessions.get_or_create("s"),
        keep.sessions.list(),
        keep.sessions.update("s", title="t"),
        keep.sessions.update("s", user_id="u"),
        keep.sessions.touch("s"),
        keep.sessions.fork("s"),
    ):
        with pytest.raises(Corrupt, match="'s'"):
            await call
    assert await keep.sessions.count() == 1
    assert await keep.sessions.delete("s")
    assert await keep.sessions.count() == 0


@pytest.mark.anyio
async def test_tables_that_vanished_are_said_to_be_missing(keep: Keep, file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE agentkeep_message")
    await keep.sessions.create("s")
    with pytest.raises(SchemaMissing):
        await keep.messages.append("s", [NewMessage(role="user")])
    with pytest.raises(SchemaMissing):
        await keep.messages.tail("s", 5)
    assert (await keep.sessions.get("s")).message_count == 0
