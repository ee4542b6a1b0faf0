"""What a planted fault of SQL stands on: the SQLite adapter on a file, whose statements and connection may lie."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

from agentkeep import PersistenceAdapter
from agentkeep_conformance import AdapterConformance
from agentkeep_sqlite import SQLiteAdapter, adapter
from agentkeep_sqlite.statements import Statements, load_statements
from over import plant


class OverSQLite(AdapterConformance):
    def open(self, dsn: str, namespace: str, **options: Any) -> PersistenceAdapter:
        return SQLiteAdapter(Path(dsn, "keep.db"), prefix=namespace, **options)

    async def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        file = Path(dsn, "keep.db")
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                for row in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608 - a name that SQLite gave
                    yield repr(row).encode()
        for part in file.parent.glob("keep.db*"):
            yield part.read_bytes()


def state(name: str, lie: str) -> None:
    """Put another text in place of a named statement; `{prefix}` begins the tables' names."""

    def load(prefix: str) -> Statements:
        statements = dict(load_statements(prefix))
        _ = statements[name]
        return statements | {name: lie.replace("{prefix}", prefix)}

    plant(adapter, "load_statements", load)
