"""A write begins its transaction as a reader and asks for the lock later: beside another process it is refused.

openai-agents PR#1953, mem0#7196, opencode#21215: "database is locked", whatever the timeout.
"""

import sqlite3
from time import sleep
from typing import Any

from over import plant
from over_sqlite import OverSQLite

FAMILY = "processes"
CLAUSE = "ORD-4"
HANGS = True

_connect: Any = sqlite3.connect


class Deferred(sqlite3.Connection):
    reads_yet = False

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql == "BEGIN IMMEDIATE":
            self.reads_yet = True
            return super().execute("BEGIN")
        if self.reads_yet and sql.lstrip().startswith(("INSERT", "UPDATE", "DELETE")):
            self.reads_yet = False
            sleep(0.005)  # on one idle machine the gap is too short to be met each time
        return super().execute(sql, parameters)


def connect(*args: Any, **options: Any) -> sqlite3.Connection:
    return _connect(*args, **options, factory=Deferred)


plant(sqlite3, "connect", connect)


class TestFault(OverSQLite):
    pass
