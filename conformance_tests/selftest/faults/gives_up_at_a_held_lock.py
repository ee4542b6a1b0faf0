"""A writer that finds the lock held fails at once, instead of waiting for its turn.

SQLite's own default: its busy timeout is 0.
"""

from datetime import timedelta
from typing import Any

from agentkeep_sqlite import SQLiteAdapter
from over_sqlite import OverSQLite

FAMILY = "troubles"
CLAUSE = "ORD-4"


class GivesUp(SQLiteAdapter):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "busy_timeout": timedelta(milliseconds=1)})


class TestFault(OverSQLite):
    adapter = GivesUp
