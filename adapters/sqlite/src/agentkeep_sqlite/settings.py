"""What a database's settings promise, read from the database itself."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from agentkeep.capabilities import Durability

from agentkeep_sqlite.connection import Connection, Work
from agentkeep_sqlite.filesystem import network_file_system
from agentkeep_sqlite.statements import Statements

_FULL = 2
"""PRAGMA synchronous: from here on each commit is on disk when it returns."""


class Settings(NamedTuple):
    """How one connection is set up."""

    synchronous: int
    journal_mode: str
    file: str

    @property
    def is_memory(self) -> bool:
        return not self.file

    @property
    def durability(self) -> Durability:
        if self.is_memory:
            return "process"
        return "fsync" if self.synchronous >= _FULL else "os"

    @property
    def warnings(self) -> list[str]:
        if self.is_memory:
            return ["everything is lost when this process ends"]
        warnings: list[str] = []
        if self.synchronous < _FULL:
            warnings.append("a power cut may lose the last commits: synchronous is not FULL")
        if self.journal_mode != "wal":
            warnings.append(f"readers and writers wait for each other: journal_mode is {self.journal_mode}, not wal")
        network = network_file_system(Path(self.file))
        if network is not None:
            warnings.append(f"the file is on a network file system ({network}), where SQLite can lose or damage data")
        return warnings


def read_settings(sql: Statements) -> Work[Settings]:
    def work(db: Connection) -> Settings:
        synchronous, journal_mode, file = db.all(sql["settings"])[0]
        return Settings(synchronous, journal_mode, file or "")

    return work


def version_of(sql: Statements) -> Work[tuple[str, int | None]]:
    """SQLite's version and the schema's."""

    def work(db: Connection) -> tuple[str, int | None]:
        server, version = db.all(sql["pulse"])[0]
        return server, version

    return work
