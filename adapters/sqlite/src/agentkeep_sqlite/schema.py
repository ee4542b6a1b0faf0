"""Creates and migrates the schema, once, even if many processes open the file at the same time (LIFE-1)."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from agentkeep.errors import ConfigurationError, SchemaMissing, SchemaTooNew

from agentkeep_sqlite.client import Client, Connection
from agentkeep_sqlite.statements import Migration, Statements


class Found(NamedTuple):
    """What a database has of our schema."""

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

    async def prepare(self, client: Client, *, manage: bool, create: bool, now: int) -> Found:
        """Bring the schema up to date and return what is there afterwards. A current schema costs three SELECTs.

        Raises `SchemaMissing`, `SchemaTooNew`, `ConfigurationError`.
        """
        found = await client.read(self.find)
        if found.search and not found.fts5:
            raise ConfigurationError(
                "the database has a search index, but this Python's SQLite has no FTS5: use a Python with FTS5"
            )
        known = len(self._migrations)
        if found.version > known:
            raise SchemaTooNew(found=found.version, known=known)
        if not create and not found.version:
            raise SchemaMissing(
                f"the database has no schema with prefix {self._prefix!r}: check the path and the prefix, or open "
                "it with create=true"
            )
        if not manage and found.version < known:
            raise SchemaMissing(
                f"the database has version {found.version} of the schema with prefix {self._prefix!r}, {known} is "
                "needed: open it once with manage_schema=True"
            )
        if manage and (found.version < known or found.search < found.fts5):
            return await client.write(partial(self._migrate, now))
        return found

    def find(self, db: Connection) -> Found:
        names = {row[0] for row in db.all(self._sql["tables"])}
        version = db.all(self._sql["version"])[0][0] if f"{self._prefix}migration" in names else None
        return Found(version or 0, f"{self._prefix}search" in names, self._has_fts5(db))

    def _has_fts5(self, db: Connection) -> bool:
        return bool(db.all(self._sql["has_fts5"])[0][0])

    def _migrate(self, now: int, db: Connection) -> Found:
        """Read the version again, because another process may have migrated before we got the lock."""
        version = self.find(db).version
        known = len(self._migrations)
        if version > known:
            raise SchemaTooNew(found=version, known=known)
        db.run(self._sql["create_migration_table"])
        for number, migration in enumerate(self._migrations[version:], version + 1):
            for statement in migration:
                db.run(statement)
            db.run(self._sql["add_version"], {"version": number, "now": now})
        if self._has_fts5(db):
            db.run(self._sql["create_search"])
        return self.find(db)
