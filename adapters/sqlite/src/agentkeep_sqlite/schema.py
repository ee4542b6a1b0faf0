"""The schema's versions: found, checked, and brought up to date once however many processes open the file (LIFE-1)."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from agentkeep.errors import ConfigurationError, SchemaMissing, SchemaTooNew

from agentkeep_sqlite.connection import Connection
from agentkeep_sqlite.executor import Executor
from agentkeep_sqlite.statements import Migration, Statements


class Found(NamedTuple):
    """What a database holds of ours."""

    version: int
    search: bool
    """Whether there is a search index."""
    fts5: bool
    """Whether this SQLite can make or use one."""


class Schema:
    def __init__(self, prefix: str, statements: Statements, migrations: tuple[Migration, ...]) -> None:
        self._prefix = prefix
        self._sql = statements
        self._migrations = migrations

    async def prepare(self, executor: Executor, *, manage: bool, now: int) -> Found:
        """The schema as it is afterwards. A current one costs three SELECTs.

        Raises `SchemaMissing`, `SchemaTooNew`, `ConfigurationError`.
        """
        found = await executor.read(self.find)
        if found.search and not found.fts5:
            raise ConfigurationError("the database has a search index, and this Python's SQLite has no FTS5 to keep it")
        known = self._migrations[-1].version
        if found.version > known:
            raise SchemaTooNew(found=found.version, known=known)
        if not manage and found.version < known:
            raise SchemaMissing(
                f"the database has version {found.version} of the schema with prefix {self._prefix!r}, {known} is "
                "needed: open it once with manage_schema=True"
            )
        if manage and (found.version < known or found.search < found.fts5):
            return await executor.write(partial(self._migrate, now))
        return found

    def find(self, db: Connection) -> Found:
        names = {row[0] for row in db.all(self._sql["tables"])}
        version = db.all(self._sql["version"])[0][0] if f"{self._prefix}migration" in names else None
        return Found(version or 0, f"{self._prefix}search" in names, self._has_fts5(db))

    def _has_fts5(self, db: Connection) -> bool:
        return bool(db.all(self._sql["has_fts5"])[0][0])

    def _migrate(self, now: int, db: Connection) -> Found:
        """Looks again, now that nobody else can write."""
        version = self.find(db).version
        known = self._migrations[-1].version
        if version > known:
            raise SchemaTooNew(found=version, known=known)
        db.run(self._sql["create_migration_table"])
        for migration in self._migrations[version:]:
            for statement in migration.statements:
                db.run(statement)
            db.run(self._sql["add_version"], {"version": migration.version, "now": now})
        if self._has_fts5(db):
            db.run(self._sql["create_search"])
        return self.find(db)
