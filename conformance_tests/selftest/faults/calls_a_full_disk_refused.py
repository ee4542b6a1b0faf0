"""The disk is full, and the error says that trying again will not help, though room may be made at any time."""

import sqlite3

from agentkeep_sqlite import errors
from over import plant
from over_sqlite import OverSQLite

FAMILY = "troubles"
CLAUSE = "ERR-2"

plant(errors, "_REFUSED", {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CONSTRAINT})


class TestFault(OverSQLite):
    pass
