"""`updated_at` follows a clock that goes back.

google/adk-python#1733: times compared across clocks.
"""

from datetime import datetime
from typing import Any

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep.spi.clock import Clock, utc_now
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import Memory, OverMemory, beside

FAMILY = "messages"
CLAUSE = "CNT-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        result = await super().append(scope, append)
        if result.new:
            now: datetime = beside(self._client.database)["clock"]()
            entry = self._client.find(scope, append.session_id, self._client.now())
            entry.record = replace(entry.record, updated_at=now)
        return result


class Adapter(Memory):
    def __init__(self, database: str, *, clock: Clock = utc_now, **options: Any) -> None:
        super().__init__(database, clock=clock, **options)
        beside(self._client.database)["clock"] = clock


class TestFault(OverMemory):
    adapter = Adapter
    messages = Messages
