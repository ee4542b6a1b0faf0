"""Closing the adapter closes the engine that the caller gave it: the rest of the program loses its connections."""

from typing import Any

from agentkeep_sqlite import SQLiteAdapter
from over_sqlite import OverSQLite
from sqlalchemy.ext.asyncio import AsyncEngine

FAMILY = "lifecycle"
CLAUSE = "LIFE-2"


class Adapter(SQLiteAdapter):
    def __init__(self, database: Any, **options: Any) -> None:
        super().__init__(database, **options)
        self._database = database

    async def close(self) -> None:
        await super().close()
        if isinstance(self._database, AsyncEngine):
            await self._database.dispose()


class TestFault(OverSQLite):
    adapter = Adapter
