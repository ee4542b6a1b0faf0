"""Opening a database file as we want it, and making sure that it is so."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from datetime import timedelta
from pathlib import Path
from typing import Literal, NamedTuple

from agentkeep.errors import ConfigurationError, Unavailable

from agentkeep_sqlite.errors import Phase, primary_code, translated

Synchronous = Literal["FULL", "NORMAL"]
MEMORY = ":memory:"
OLDEST = (3, 35, 0)
"""The first SQLite with RETURNING."""

_LEVELS: dict[str, int] = {"NORMAL": 1, "FULL": 2}
_WAL_LIMIT = 64 * 1024 * 1024
"""Bytes that the write-ahead log's file may keep after a checkpoint has emptied it."""
_STATEMENTS_KEPT = 256
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class Database(NamedTuple):
    """A file (or `:memory:`) and how its connections are set up."""

    path: str
    synchronous: Synchronous
    busy_timeout: timedelta

    @property
    def is_memory(self) -> bool:
        return self.path == MEMORY

    def check_place(self) -> None:
        """Say what is wrong with the path better than SQLite does. Raises `ConfigurationError`."""
        if self.is_memory:
            return
        try:
            self._check_path(Path(self.path))
        except (OSError, ValueError) as error:  # no way in, a name too long, a NUL in it
            raise ConfigurationError(f"{self.path!r} can't be opened: {error}") from error

    def _check_path(self, path: Path) -> None:
        folder = path.absolute().parent
        if not folder.is_dir():
            raise ConfigurationError(f"{self.path}: there is no directory {folder}: create it first")
        if path.is_dir():
            raise ConfigurationError(f"{self.path} is a directory: name a file in it")
        if not os.access(folder, os.W_OK):
            raise ConfigurationError(f"{self.path}: the directory can't be written, and SQLite keeps its log there")
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            raise ConfigurationError(f"{self.path} can't be read and written by this user")

    def connect(self) -> sqlite3.Connection:
        """A connection with every setting stated, and read back. Raises `ConfigurationError`, `Unavailable`."""
        connection = sqlite3.connect(
            self.path,
            timeout=self.busy_timeout.total_seconds(),
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENTS_KEPT,
        )
        try:
            self._set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_up(self, connection: sqlite3.Connection) -> None:
        try:
            if not self.is_memory:
                self._use_wal(connection)
                connection.execute(f"PRAGMA synchronous = {_LEVELS[self.synchronous]}")
                connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
            connection.execute("PRAGMA secure_delete = ON")
        except sqlite3.Error as error:
            raise translated(error, Phase.OPENING, self.path) from error
        self._verify(connection)

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        """Turn the write-ahead log on. SQLite does not wait for a lock here, whatever its busy timeout: we do."""
        deadline = time.monotonic() + self.busy_timeout.total_seconds()
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL").fetchall()
                return
            except sqlite3.Error as error:
                if primary_code(error) not in _BUSY or time.monotonic() > deadline:
                    raise
            time.sleep(random.uniform(0.002, 0.02))  # noqa: S311 - spreads processes that start at once

    def _verify(self, connection: sqlite3.Connection) -> None:
        wanted: dict[str, object] = {"secure_delete": 1, "busy_timeout": round(self.busy_timeout / _MILLISECOND)}
        if not self.is_memory:
            wanted |= {"journal_mode": "wal", "synchronous": _LEVELS[self.synchronous]}
        for name, value in wanted.items():
            found = connection.execute(f"PRAGMA {name}").fetchone()[0]
            if found != value:
                raise Unavailable(f"{self.path}: SQLite keeps {name} at {found!r} where {value!r} was asked for")


_MILLISECOND = timedelta(milliseconds=1)


def check_library() -> None:
    """Raises `ConfigurationError` where Python's SQLite is too old."""
    if sqlite3.sqlite_version_info < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ConfigurationError(f"this Python has SQLite {sqlite3.sqlite_version}; at least {oldest} is needed")
