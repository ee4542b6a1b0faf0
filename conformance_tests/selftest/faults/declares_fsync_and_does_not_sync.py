"""SQLite runs with `synchronous=NORMAL`, which syncs at checkpoints only, and says that each write is on the disk.

The file-rewriting backend of issue 12 did the same with its fsync removed, and passed.
"""

from typing import Any

from agentkeep_sqlite import SQLiteAdapter
from msgspec.structs import replace
from over_sqlite import OverSQLite

FAMILY = "power_cuts"
CLAUSE = "FLT-1"


class Unsynced(SQLiteAdapter):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options, synchronous="NORMAL")

    async def open(self) -> None:
        await super().open()
        self.capabilities = replace(self.capabilities, durability="fsync")


class TestFault(OverSQLite):
    adapter = Unsynced
