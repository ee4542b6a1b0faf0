"""Opening and closing a file: settings, schema, and what is said where it can't be done (LIFE-1, LIFE-2, ISO-3)."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import agentkeep
import pytest
from agentkeep import ConfigurationError, Keep, NewMessage, SchemaMissing, SchemaTooNew, Unavailable
from agentkeep_sqlite import SQLiteAdapter
from agentkeep_sqlite.client import DriverConnection
from agentkeep_sqlite.server import network_file_system
from agentkeep_sqlite.statements import load_migrations, load_statements
from agentkeep_sqlite.urls import Database

pytestmark = pytest.mark.anyio
SECOND = timedelta(seconds=1)


def schema_of(file: Path) -> list[Any]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name").fetchall()


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize(("level", "found"), [("FULL", 2), ("NORMAL", 1)])
def test_every_connection_has_the_settings_that_were_asked_for(file: Path, level: Any, found: int) -> None:
    with closing(Database(str(file), level, 7 * SECOND).connect()) as connection:
        names = ("journal_mode", "synchronous", "busy_timeout", "secure_delete")
        assert [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names] == ["wal", found, 7000, 1]
        assert connection.execute("PRAGMA journal_size_limit").fetchone()[0] == 64 * 1024 * 1024


def test_a_setting_that_sqlite_did_not_take_is_an_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def leave_it(database: Database, connection: sqlite3.Connection) -> None: ...

    monkeypatch.setattr(Database, "_use_wal", leave_it)
    with pytest.raises(Unavailable, match="journal_mode"):
        Database(str(file), "FULL", SECOND).connect()


@pytest.mark.parametrize(("level", "durability"), [("FULL", "fsync"), ("NORMAL", "os")])
async def test_durability_is_read_from_the_database(file: Path, level: Any, durability: str) -> None:
    async with Keep(SQLiteAdapter(file, synchronous=level)) as keep:
        health = await keep.health()
    assert health.durability == keep.capabilities.durability == durability
    assert health.server == f"SQLite {sqlite3.sqlite_version}"
    assert health.schema_version == len(load_migrations("x_"))
    assert [warning for warning in health.warnings if "power cut" in warning] == health.warnings
    assert bool(health.warnings) == (level == "NORMAL")


async def test_urls_name_the_file_that_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite:///a.db", f"sqlite:///{tmp_path}/b.db", "sqlite+aiosqlite:///c%20d#.db?synchronous=normal"):
        async with agentkeep.connect(url):
            pass
    assert [name for name in names_in(tmp_path) if name.endswith(".db")] == ["a.db", "b.db", "c d#.db"]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
async def test_a_database_in_memory_by_url(url: str) -> None:
    async with agentkeep.connect(url) as keep:
        await keep.sessions.create("s")
        await keep.messages.append("s", [NewMessage(role="user", content="hello")])
        [hit] = await keep.messages.search("hell")
        assert (hit.message.seq, keep.capabilities.durability, keep.capabilities.shared) == (1, "process", False)
        assert "lost when this process ends" in (await keep.health()).warnings[0]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:///", "names no file"),
        ("sqlite://host/a.db", "names no file"),
        ("sqlite+pysqlcipher:///a.db", "not a SQLite URL"),
        ("sqlite:///a.db?synchronous=OFF", "FULL, NORMAL"),
        ("sqlite:///a.db?sync=FULL", "no option 'sync'"),
        ("sqlite:///a.db?busy_timeout=0", "more than 0"),
        ("sqlite:///a.db?prefix=A-", "prefix"),
        ("sqlite:///a.db?prefix=sqlite_", "reserves"),
        ("mysql:///a.db", "not a SQLite URL"),
    ],
)
def test_a_wrong_url_says_the_right_one(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        SQLiteAdapter.from_url(url)


def test_a_url_is_no_path() -> None:
    with pytest.raises(ConfigurationError, match=r"agentkeep\.connect"):
        SQLiteAdapter("sqlite:///a.db")


async def test_places_that_can_hold_no_database(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("these are notes, of more than a hundred bytes, " * 5)
    for place, says in [
        (tmp_path / "absent" / "a.db", "does not exist"),
        (tmp_path, "is a directory"),
        (text, r"notes\.txt.*not a database"),
        (Path("/proc/keep.db"), "keep.db"),
    ]:
        with pytest.raises(ConfigurationError, match=says):
            await SQLiteAdapter(place).open()
    assert text.read_text().startswith("these are notes")


async def test_without_manage_schema_an_absent_one_is_said_and_nothing_is_made(file: Path) -> None:
    with pytest.raises(SchemaMissing, match="manage_schema"):
        await SQLiteAdapter(file, manage_schema=False).open()
    assert schema_of(file) == []
    await (made := SQLiteAdapter(file)).open()
    await made.close()
    async with Keep(SQLiteAdapter(file, manage_schema=False)) as keep:
        assert (await keep.sessions.create("s")).id == "s"


@pytest.mark.parametrize("manage", [True, False])
async def test_a_newer_schema_is_refused_and_left_alone(file: Path, manage: bool) -> None:
    await (made := SQLiteAdapter(file)).open()
    await made.close()
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("UPDATE agentkeep_schema SET version = 99, oldest = 98")
    before = schema_of(file)
    with pytest.raises(SchemaTooNew) as caught:
        await SQLiteAdapter(file, manage_schema=manage).open()
    assert (caught.value.found, caught.value.known, caught.value.oldest) == (99, len(load_migrations("x_")), 98)
    assert schema_of(file) == before


async def test_a_current_schema_is_opened_without_writing(file: Path) -> None:
    async with Keep(SQLiteAdapter(file)) as keep:
        await keep.sessions.create("s")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with Keep(SQLiteAdapter(file, busy_timeout=timedelta(milliseconds=50))) as keep:
            assert (await keep.sessions.get("s")).id == "s"
            with pytest.raises(Unavailable):
                await keep.sessions.create("t")
        other.execute("ROLLBACK")


async def test_a_fresh_schema_equals_one_migrated_step_by_step(tmp_path: Path) -> None:
    stepped = tmp_path / "stepped.db"
    sql = load_statements("agentkeep_")
    with closing(sqlite3.connect(stepped, isolation_level=None)) as connection:
        connection.execute(sql["create_schema_table"])
        for migration in load_migrations("agentkeep_")[:1]:
            for statement in migration:
                connection.execute(statement)
            connection.execute(sql["set_schema_version"], {"version": 1, "oldest": 1})
    fresh = tmp_path / "fresh.db"
    for file in (stepped, fresh):
        await (adapter := SQLiteAdapter(file)).open()
        await adapter.close()
    assert schema_of(stepped) == schema_of(fresh)
    assert len(schema_of(fresh)) > 20


async def test_two_prefixes_in_one_file_are_migrated_apart(file: Path) -> None:
    async with Keep(SQLiteAdapter(file, prefix="one_")) as one:
        await one.sessions.create("s")
        before = schema_of(file)
        async with Keep(SQLiteAdapter(file, prefix="two_")) as two:
            assert await two.sessions.find("s") is None
    names = {row[1] for row in schema_of(file)} - {row[1] for row in before}
    assert names
    assert all(name.startswith(("two_", "sqlite_autoindex_two_")) for name in names)


TWENTY = """
import asyncio, os, sys, agentkeep, agentkeep_sqlite

async def create_one():
    async with agentkeep.connect(f"sqlite:///{sys.argv[1]}") as keep:
        await keep.sessions.create()

children = []
for _ in range(20):
    child = os.fork()  # everything is imported, so that all of them arrive at once
    if child == 0:
        asyncio.run(create_one())
        os._exit(0)
    children.append(child)
sys.exit(sum(os.waitpid(child, 0)[1] for child in children))
"""


async def test_twenty_processes_open_a_fresh_file_at_once(file: Path) -> None:
    program = await asyncio.create_subprocess_exec(sys.executable, "-c", TWENTY, str(file), stderr=subprocess.PIPE)
    _, errors = await program.communicate()
    assert (program.returncode, errors) == (0, b"")
    async with Keep(SQLiteAdapter(file)) as keep:
        assert await keep.sessions.count() == 20


async def test_close_leaves_one_whole_file(file: Path) -> None:
    async with Keep(SQLiteAdapter(file)) as keep:
        await keep.sessions.create("s")
        assert file.with_name("keep.db-wal").stat().st_size > 0
    assert names_in(file.parent) == ["keep.db"]


async def test_an_adapter_can_be_opened_again_after_close(file: Path) -> None:
    adapter = SQLiteAdapter(file)
    for _ in range(3):
        await adapter.open()
        await adapter.open()
        await adapter.close()
        await adapter.close()
    async with Keep(adapter) as keep:
        assert (await keep.sessions.create("s")).id == "s"


async def test_without_fts5_search_is_off_and_the_rest_works(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = DriverConnection.all

    def without_fts5(self: DriverConnection, sql: str, values: Any = ()) -> Any:
        return [(0,)] if "pragma_module_list" in sql else whole(self, sql, values)

    monkeypatch.setattr(DriverConnection, "all", without_fts5)
    async with Keep(SQLiteAdapter(file)) as keep:
        await keep.sessions.create("s")
        await keep.messages.append("s", [NewMessage(role="user", content="x")])
        assert not keep.capabilities.search
        assert (await keep.health()).warnings == ["this SQLite has no FTS5: search is off"]
        assert await keep.messages.clear("s") == 1
    monkeypatch.undo()
    async with Keep(SQLiteAdapter(file)) as keep:
        assert keep.capabilities.search
    monkeypatch.setattr(DriverConnection, "all", without_fts5)
    with pytest.raises(ConfigurationError, match="FTS5"):
        await SQLiteAdapter(file).open()


def test_a_network_file_system_is_noticed(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda / ext4 rw 0 0\n"
        "host:/x /mnt/my\\040disk nfs4 rw 0 0\n"
        "/dev/sdb /mnt/my\\040disk/local xfs rw 0 0\n"
        "me@host: /home/me/far fuse.sshfs rw 0 0\n"
    )
    found = {
        path: network_file_system(Path(path), mounts)
        for path in ("/tmp/a.db", "/mnt/my disk/a.db", "/mnt/my disk/local/a.db", "/home/me/far/a.db", "/home/me/a.db")  # noqa: S108
    }
    assert list(found.values()) == [None, "nfs4", None, "fuse.sshfs", None]
    assert network_file_system(Path("/a.db"), tmp_path / "absent") is None


async def test_health_warns_of_a_network_file_system(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def always_cifs(path: Path) -> str:
        return "cifs"

    monkeypatch.setattr("agentkeep_sqlite.server.network_file_system", always_cifs)
    async with Keep(SQLiteAdapter(file)) as keep:
        [warning] = (await keep.health()).warnings
    assert "cifs" in warning


def test_a_path_needs_no_sqlalchemy() -> None:
    program = "import sys, agentkeep_sqlite as a; a.SQLiteAdapter('x.db'); sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


async def test_create_false_opens_what_exists_and_makes_nothing(tmp_path: Path) -> None:
    mistyped = tmp_path / "mistyped.db"
    with pytest.raises(ConfigurationError, match=r"mistyped\.db does not exist"):
        await SQLiteAdapter.from_url(f"sqlite:///{mistyped}?create=false").open()
    assert names_in(tmp_path) == []
    anothers = tmp_path / "another's #1.db"
    with closing(sqlite3.connect(anothers)) as connection:
        connection.execute("CREATE TABLE notes (text)")
    with pytest.raises(SchemaMissing, match="no schema with prefix 'agentkeep_'"):
        await SQLiteAdapter(anothers, create=False).open()
    assert [row[1] for row in schema_of(anothers)] == ["notes"]
    await (made := SQLiteAdapter(anothers)).open()
    await made.close()
    async with Keep(SQLiteAdapter(anothers, create=False)) as keep:
        assert (await keep.sessions.create("s")).id == "s"
