"""Tables are made on the way, whoever owns the schema: without the right to it, the first call of the day fails.

"CREATE TABLE IF NOT EXISTS" at each start: a role with DML rights only can't use such an adapter.
"""

from typing import Any

from agentkeep_sqlite import SQLiteAdapter
from over_sqlite import OverSQLite

FAMILY = "upgrade"
CLAUSE = "LIFE-1"


class Adapter(SQLiteAdapter):
    def __init__(self, database: Any, *, manage_schema: bool = True, **options: Any) -> None:
        super().__init__(database, **options)


class TestFault(OverSQLite):
    adapter = Adapter
