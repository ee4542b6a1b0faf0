"""SQLite's error codes to our errors, in one table (ERR-1, ERR-2). The text of a message decides nothing."""

from __future__ import annotations

import sqlite3
from enum import Enum

from agentkeep.errors import (
    ConfigurationError,
    Corrupt,
    OutcomeUnknown,
    PersistenceError,
    Refused,
    SchemaMissing,
    Unavailable,
)


class Phase(Enum):
    """When an error came. What it means depends on that."""

    OPENING = "opening"
    WORKING = "working"
    """Before COMMIT: the transaction was rolled back, so nothing was written."""
    COMMITTING = "committing"


_MASK = 0xFF
"""An extended code's low byte is the primary code."""

_UNREADABLE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_MISMATCH}
_UNUSABLE_PATH = {
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
}
_REFUSED = {
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_RANGE,
    sqlite3.SQLITE_MISUSE,
}
"""A rule or a limit of the database, a missing right, or a mistake of ours: the same call will fail again."""
_NOTHING_COMMITTED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}
"""At COMMIT these leave no complete commit in the log. After any other code the last page may have been written."""


def translated(error: Exception, phase: Phase, database: str) -> PersistenceError:
    """Our error for a driver's error, which becomes `__cause__`. `database` is the path for the message."""
    mapped = _mapped(_driver_error(error), phase, database)
    mapped.__cause__ = error
    return mapped


def _mapped(driver: object, phase: Phase, database: str) -> PersistenceError:
    if not isinstance(driver, sqlite3.Error):
        return Unavailable(f"{database}: {_said(driver)}")
    code = primary_code(driver)
    if code is None:
        return _without_code(driver, database)
    if phase is Phase.OPENING and code in _UNUSABLE_PATH:
        return ConfigurationError(f"{database} can't be used as a SQLite database: {_said(driver)}")
    if code in _UNREADABLE:
        return Corrupt(database, _said(driver))
    if code in _REFUSED:
        return Refused(f"{database}: {_said(driver)}")
    if code == sqlite3.SQLITE_ERROR and phase is not Phase.COMMITTING:
        return SchemaMissing(f"{database}: a statement does not fit the database's schema: {_said(driver)}")
    if phase is Phase.COMMITTING and code not in _NOTHING_COMMITTED:
        return OutcomeUnknown(f"{database}: the commit failed, but its data may have been written: {_said(driver)}")
    return Unavailable(f"{database}: {_said(driver)}")


def _without_code(driver: sqlite3.Error, database: str) -> PersistenceError:
    """Python's own errors: OperationalError means a text that is not UTF-8, others mean that we misused the module."""
    if isinstance(driver, sqlite3.OperationalError):
        return Corrupt(database, "a stored text is not UTF-8")
    return Unavailable(f"{database}: {_said(driver)}")


def _said(driver: object) -> str:
    """SQLite's name for the error and its sentence, which holds names of tables and columns, never values."""
    name = getattr(driver, "sqlite_errorname", None)
    return f"{driver} ({name})" if name else f"{driver}"


def is_duplicate(error: BaseException) -> bool:
    """Whether a unique constraint refused the statement: the row is stored already."""
    code = getattr(_driver_error(error.__cause__), "sqlite_errorcode", None)
    return code in (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)


def primary_code(error: object) -> int | None:
    """SQLite's primary result code. None if the error is not SQLite's own."""
    code = getattr(_driver_error(error), "sqlite_errorcode", None)
    return None if code is None else code & _MASK


def _driver_error(error: object) -> object:
    """SQLAlchemy wraps the driver's error and keeps it as `orig`."""
    return getattr(error, "orig", None) or error
