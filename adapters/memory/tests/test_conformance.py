"""The memory adapter keeps every clause: bare, through a wrapper, and through one that stores other bytes (WRAP-1)."""

from collections.abc import AsyncIterator
from typing import Any

from agentkeep import PersistenceAdapter
from agentkeep.wrappers import Wrapper
from agentkeep_conformance import AdapterConformance
from agentkeep_conformance.wrapping import Sealing
from agentkeep_memory import MemoryAdapter


class TestMemory(AdapterConformance):
    def open(self, dsn: str, namespace: str, **options: Any) -> PersistenceAdapter:
        return MemoryAdapter(f"{dsn}{namespace}", **options)

    async def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        for key, entry in MemoryAdapter(f"{dsn}{namespace}").snapshot().items():
            yield repr((key, entry)).encode()

    async def records(self, dsn: str, namespace: str) -> int:
        return len(MemoryAdapter(f"{dsn}{namespace}").snapshot())


class TestMemoryWrapped(TestMemory):
    everyday, one_in = False, 8

    def open(self, dsn: str, namespace: str, **options: Any) -> PersistenceAdapter:
        return Wrapper(super().open(dsn, namespace, **options))


class TestMemorySealed(TestMemory):
    everyday, one_in = False, 8

    def open(self, dsn: str, namespace: str, **options: Any) -> PersistenceAdapter:
        return Sealing(super().open(dsn, namespace, **options))
