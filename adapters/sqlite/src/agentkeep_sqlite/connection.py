"""What the statements run on: a connection of `sqlite3` on our own threads, or one of the caller's engine."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from agentkeep_sqlite.errors import primary_code

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection as EngineConnection

T = TypeVar("T")
Row = Sequence[Any]
Values = Mapping[str, Any] | tuple[Any, ...]


class Connection(Protocol):
    """One connection, inside a transaction where the work is a write. It raises what its driver raises."""

    def all(self, sql: str, values: Values = ()) -> list[Row]:
        """The rows of a statement, read to its end."""
        ...

    def one(self, sql: str, values: Values = ()) -> Row | None:
        """The first row, or None."""
        ...

    def run(self, sql: str, values: Values = ()) -> int:
        """How many rows a statement changed."""
        ...

    def many(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        """A statement once for each row of values."""
        ...


Work = Callable[[Connection], T]
"""What an adapter's verb does in one transaction; it may be run again after a rollback."""


class DriverConnection:
    """Over `sqlite3`, which takes each statement as it is: transactions are begun and ended by us."""

    def __init__(self, driver: sqlite3.Connection) -> None:
        self.driver = driver

    def all(self, sql: str, values: Values = ()) -> list[Row]:
        try:
            return self.driver.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            if primary_code(error) is not None or not sql.startswith("SELECT"):
                raise
            return self._undecoded(sql, values)

    def _undecoded(self, sql: str, values: Values) -> list[Row]:
        """The rows with texts that are no UTF-8 left as bytes, so that the damaged row can be named (ERR-4)."""
        self.driver.text_factory = _text_or_bytes
        try:
            return self.driver.execute(sql, values).fetchall()
        finally:
            self.driver.text_factory = str

    def one(self, sql: str, values: Values = ()) -> Row | None:
        rows = self.all(sql, values)
        return rows[0] if rows else None

    def run(self, sql: str, values: Values = ()) -> int:
        return self.driver.execute(sql, values).rowcount

    def many(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        if len(rows) == 1:
            self.driver.execute(sql, rows[0])
        else:
            self.driver.executemany(sql, rows)


class PooledConnection:
    """Over SQLAlchemy, so that the engine's events see each statement."""

    def __init__(self, engine_connection: EngineConnection) -> None:
        self._connection = engine_connection

    def all(self, sql: str, values: Values = ()) -> list[Row]:
        return list(self._connection.exec_driver_sql(sql, _parameters(values)).fetchall())

    def one(self, sql: str, values: Values = ()) -> Row | None:
        rows = self.all(sql, values)
        return rows[0] if rows else None

    def run(self, sql: str, values: Values = ()) -> int:
        return self._connection.exec_driver_sql(sql, _parameters(values)).rowcount

    def many(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            self._connection.exec_driver_sql(sql, rows if len(rows) > 1 else rows[0])


def _text_or_bytes(stored: bytes) -> str | bytes:
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored


def _parameters(values: Values) -> Any:
    return dict(values) if isinstance(values, Mapping) else values
