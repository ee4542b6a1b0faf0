"""A URL or a path to a database, and the settings that each of its connections gets."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

from agentkeep.errors import ConfigurationError, Unavailable
from agentkeep.spi.options import as_bool, as_is, as_prefix, as_seconds, one_of, read_options
from agentkeep.spi.urls import redact

from agentkeep_sqlite.errors import Phase, primary_code, translated

Synchronous = Literal["FULL", "NORMAL"]
MEMORY = ":memory:"

_SCHEMES = ("sqlite", "sqlite+aiosqlite")
_OPTIONS = {
    "prefix": as_prefix,
    "synchronous": one_of("FULL", "NORMAL"),
    "busy_timeout": as_seconds,
    "manage_schema": as_bool,
    "create": as_bool,
    "clock": as_is,
}
_LEVELS: dict[str, int] = {"NORMAL": 1, "FULL": 2}
_WAL_LIMIT = 64 * 1024 * 1024
"""So many bytes the write-ahead log's file may keep after a checkpoint has emptied it."""
_STATEMENTS_KEPT = 256
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_MILLISECOND = timedelta(milliseconds=1)
_LONGEST_BUSY_TIMEOUT = (2**31 - 1) * _MILLISECOND
"""SQLite counts it in 32 bits, and takes more as 0 (seen on 3.40)."""


def read_url(url: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The path (or `:memory:`) and the options of a URL. Raises `ConfigurationError`."""
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in _SCHEMES:
        raise ConfigurationError(f"{redact(url)!r} is not a SQLite URL: give sqlite:///chat.db")
    address, _, query = rest.partition("?")
    host, slash, path = address.partition("/")
    if host or (slash and not path):
        raise ConfigurationError(
            f"{redact(url)!r} names no file: give sqlite:///relative.db, sqlite:////absolute/path.db, or sqlite:// "
            "for a database in memory"
        )
    return unquote(path) or MEMORY, read_options("sqlite", f"{scheme}://?{query}", options, _OPTIONS)


class Database(NamedTuple):
    """A file (or `:memory:`) and the settings of its connections."""

    path: str
    synchronous: Synchronous
    busy_timeout: timedelta
    create: bool = True
    """Whether to create the file if it does not exist."""

    @property
    def is_memory(self) -> bool:
        return self.path == MEMORY

    def check_path(self) -> None:
        """Say what is wrong with the path, in clearer words than SQLite's. Raises `ConfigurationError`."""
        if self.is_memory:
            return
        try:
            self._check_file(Path(self.path))
        except (OSError, ValueError) as error:  # no permission, a name that is too long, a NUL in the name
            raise ConfigurationError(f"{self.path!r} can't be opened: {error}") from error

    def _check_file(self, path: Path) -> None:
        folder = path.absolute().parent
        if not folder.is_dir():
            raise ConfigurationError(f"{self.path}: the directory {folder} does not exist: create it first")
        if path.is_dir():
            raise ConfigurationError(f"{self.path} is a directory: name a file in it")
        if not self.create and not path.exists():
            raise ConfigurationError(
                f"{self.path} does not exist: check the path. To make it, open it with create=true, or run "
                "agentkeep migrate"
            )
        if not os.access(folder, os.W_OK):
            raise ConfigurationError(
                f"{self.path}: this user can't write to the directory, and SQLite keeps its log there"
            )
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            raise ConfigurationError(f"{self.path}: this user can't read and write the file")

    def connect(self) -> sqlite3.Connection:
        """A connection with every setting stated, and read back. Raises `ConfigurationError`, `Unavailable`."""
        path = self.path if self.create else f"{Path(self.path).absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(
            path,
            uri=not self.create,
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
        """Turn the write-ahead log on. SQLite ignores its busy timeout for this statement, so we wait for the lock."""
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
                raise Unavailable(f"{self.path}: SQLite keeps {name} at {found!r}, but we set {value!r}")


def as_database(
    database: str | os.PathLike[str], synchronous: str, busy_timeout: timedelta, *, create: bool
) -> Database:
    """Raises `ConfigurationError`."""
    path = os.fspath(database)
    if "://" in path:
        raise ConfigurationError(f"{redact(path)!r} is a URL: give it to agentkeep.connect, or give a path here")
    level: Synchronous = one_of("FULL", "NORMAL")("synchronous", synchronous)
    busy_timeout = min(as_seconds("busy_timeout", busy_timeout), _LONGEST_BUSY_TIMEOUT)
    return Database(path, level, busy_timeout, create)
