"""`health` reports `fsync`, as the adapter was written for it, and never reads the setting."""

from agentkeep.models import Health
from agentkeep_sqlite import SQLiteAdapter
from msgspec.structs import replace
from over_sqlite import OverSQLite

FAMILY = "declarations"
CLAUSE = "FLT-1"


class Reports(SQLiteAdapter):
    async def health(self) -> Health:
        return replace(await super().health(), durability="fsync")


class TestFault(OverSQLite):
    adapter = Reports
