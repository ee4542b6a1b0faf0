"""SQLite's error codes to ours, in one table (ERR-1, ERR-2). Texts of messages decide nothing."""

from __future__ import annotations

import sqlite3
from enum import Enum

from agentkeep.errors import (
    ConfigurationError,
    Corrupt,
    InvalidInput,
    OutcomeUnknown,
    PersistenceError,
    SchemaMissing,
    Unavailable,
)


class Phase(Enum):
    """When an error came: what it means depends on it."""

    OPENING = "opening"
    WORKING = "working"
    """Before COMMIT: the transaction was rolled back, so nothing was written."""
    COMMITTING = "committing"


_MASK = 0xFF
"""An extended code's low byte is the primary one."""

_UNREADABLE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_MISMATCH}
_WRONG_PLACE = {
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
}
_NOTHING_COMMITTED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}
"""At COMMIT these leave no whole commit in the log. After any other the last page may have arrived."""


def translated(error: Exception, phase: Phase, place: str) -> PersistenceError:
    """Our error for a driver's, with the driver's as `__cause__`. `place` names the database."""
    mapped = _mapped(_driver_error(error), phase, place)
    mapped.__cause__ = error
    return mapped


def _mapped(driver: object, phase: Phase, place: str) -> PersistenceError:
    if not isinstance(driver, sqlite3.Error):
        return Unavailable(f"{place}: {driver}")
    code = primary_code(driver)
    if code is None:
        return _without_code(driver, place)
    if phase is Phase.OPENING and code in _WRONG_PLACE:
        return ConfigurationError(f"{place} can't be used as a SQLite database: {driver}")
    if code in _UNREADABLE:
        return Corrupt(place, str(driver))
    if code == sqlite3.SQLITE_TOOBIG:
        return InvalidInput(f"{place}: {driver}")
    if code == sqlite3.SQLITE_ERROR and phase is not Phase.COMMITTING:
        return SchemaMissing(f"{place}: a statement does not fit the database's schema: {driver}")
    if phase is Phase.COMMITTING and code not in _NOTHING_COMMITTED:
        return OutcomeUnknown(f"{place}: the commit failed, and may be there all the same: {driver}")
    return Unavailable(f"{place}: {driver}")


def _without_code(driver: sqlite3.Error, place: str) -> PersistenceError:
    """What Python's module raises by itself: OperationalError for a text that is not UTF-8, else a wrong use."""
    if isinstance(driver, sqlite3.OperationalError):
        return Corrupt(place, "a stored text is not UTF-8")
    return Unavailable(f"{place}: {driver}")


def primary_code(error: object) -> int | None:
    """SQLite's primary result code; None where SQLite itself did not speak."""
    code = getattr(_driver_error(error), "sqlite_errorcode", None)
    return None if code is None else code & _MASK


def _driver_error(error: object) -> object:
    """SQLAlchemy wraps the driver's error and keeps it as `orig`."""
    return getattr(error, "orig", None) or error
