"""The memory adapter keeps every clause."""

from typing import Any

from agentkeep_conformance import AdapterConformance
from agentkeep_memory import MemoryAdapter


class TestMemory(AdapterConformance):
    def open(self, dsn: str, namespace: str, **options: Any) -> MemoryAdapter:
        return MemoryAdapter(f"{dsn}{namespace}", **options)
