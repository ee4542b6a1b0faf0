"""The sweep rounds the time up to the next second, and removes sessions that are still there for every reader."""

from datetime import timedelta
from typing import Any

from agentkeep.records import Scope
from agentkeep_memory.sweep import sweep
from over import Memory, OverMemory

FAMILY = "clocks"
CLAUSE = "TTL-2"


class Adapter(Memory):
    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        client = self._client
        right: Any = client.now
        client.now = lambda: right() + timedelta(seconds=1)
        try:
            return sweep(client, scope, limit=limit)
        finally:
            client.now = right


class TestFault(OverMemory):
    adapter = Adapter
