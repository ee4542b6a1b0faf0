"""Creates and migrates the schema, once, even if many processes open the file at the same time (LIFE-1, LIFE-4)."""

from __future__ import annotations

from typing import NamedTuple

from agentkeep.errors import ConfigurationError, SchemaMissing
from agentkeep.spi.schema import SchemaVersion, missing_steps

from agentkeep_sqlite.client import Client, Connection
from agentkeep_sqlite.statements import Migration, Statements

OLDEST = 1
"""The oldest version of the schema whose release may use the schema that this release makes."""


class Found(NamedTuple):
    """What a database has of our schema."""

    version: SchemaVersion | None
    search: bool
    """Whether there is a search index."""
    fts5: bool
    """Whether this SQLite can make or use one."""


class Schema:
    def __init__(self, prefix: str, statements: Statements, migrations: tuple[Migration, ...]) -> None:
        self._prefix = prefix
        self._sql = statements
        self._migrations = migrations

    async def prepare(self, client: Client, *, manage: bool, create: bool) -> Found:
        """Bring the schema up to date and return what is there afterwards. A current schema costs three SELECTs.

        Raises `SchemaMissing`, `SchemaTooNew`, `ConfigurationError`.
        """
        found = await client.read(self.find)
        if found.search and not found.fts5:
            raise ConfigurationError(
                "the database has a search index, but this Python's SQLite has no FTS5: use a Python with FTS5"
            )
        if not create and found.version is None:
            raise SchemaMissing(
                f"the database has no schema with prefix {self._prefix!r}: check the path and the prefix, or open "
                "it with create=true"
            )
        if self._missing(found, manage=manage) or (manage and found.search < found.fts5):
            return await client.write(self._migrate)
        return found

    def _missing(self, found: Found, *, manage: bool) -> range:
        name = f"the schema with prefix {self._prefix!r}"
        return missing_steps(found.version, known=len(self._migrations), manage_schema=manage, name=name)

    def find(self, db: Connection) -> Found:
        names = {row[0] for row in db.all(self._sql["tables"])}
        version = db.one(self._sql["schema_version"]) if f"{self._prefix}schema" in names else None
        fts5 = bool(db.all(self._sql["has_fts5"])[0][0])
        return Found(None if version is None else SchemaVersion(*version), f"{self._prefix}search" in names, fts5)

    def _migrate(self, db: Connection) -> Found:
        """Read the version again, because another process may have migrated before we got the lock."""
        found = self.find(db)
        steps = self._missing(found, manage=True)
        if steps:
            db.run(self._sql["create_schema_table"])
            for number in steps:
                for statement in self._migrations[number - 1]:
                    db.run(statement)
            db.run(self._sql["set_schema_version"], {"version": len(self._migrations), "oldest": OLDEST})
        if found.fts5 and not found.search:
            db.run(self._sql["create_search"])
            db.run(self._sql["set_usermerge"])
        return self.find(db)
