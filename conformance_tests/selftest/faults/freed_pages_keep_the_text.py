"""A deleted text stays in the file's freed pages until something else is written there.

SQLite without secure_delete, which is its default.
"""

import sqlite3

from agentkeep_sqlite.sweep import Sweep
from agentkeep_sqlite.urls import Database
from over import plant
from over_sqlite import OverSQLite

FAMILY = "erasure"
CLAUSE = "SES-6"


def verify(database: Database, connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA secure_delete = OFF")


async def clean_up(sweep: Sweep) -> None:
    """Rewrites nothing."""


plant(Database, "_verify", verify)
plant(Sweep, "clean_up", clean_up)


class TestFault(OverSQLite):
    pass
