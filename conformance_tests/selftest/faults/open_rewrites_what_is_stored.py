"""Each `open` runs its last migration again and touches every session.

owui#23273: a backfill at each start.
"""

from msgspec.structs import replace
from over import Memory, OverMemory

FAMILY = "lifecycle"
CLAUSE = "LIFE-1"


class Adapter(Memory):
    async def open(self) -> None:
        for entry in self._client.database.entries.values():
            entry.record = replace(entry.record, version=entry.record.version + 1)


class TestFault(OverMemory):
    adapter = Adapter
