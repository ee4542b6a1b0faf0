"""The memory adapter keeps every clause."""

from collections.abc import AsyncIterator
from typing import Any

from agentkeep_conformance import AdapterConformance
from agentkeep_memory import MemoryAdapter


class TestMemory(AdapterConformance):
    def open(self, dsn: str, namespace: str, **options: Any) -> MemoryAdapter:
        return MemoryAdapter(f"{dsn}{namespace}", **options)

    async def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        for key, entry in MemoryAdapter(f"{dsn}{namespace}").snapshot().items():
            yield repr((key, entry)).encode()
