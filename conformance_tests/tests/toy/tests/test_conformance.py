# pyright: reportMissingImports=false, reportUnknownVariableType=false, reportUnknownMemberType=false
"""The toy adapter keeps every clause."""

from collections.abc import AsyncIterator
from typing import Any

from agentkeep import PersistenceAdapter
from agentkeep_conformance import AdapterConformance
from agentkeep_memory import MemoryAdapter
from agentkeep_toy import ToyAdapter


class TestToy(AdapterConformance):
    def open(self, dsn: str, namespace: str, **options: Any) -> PersistenceAdapter:
        return ToyAdapter(dsn, prefix=namespace, **options)

    async def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        for key, entry in MemoryAdapter(f"toy {dsn} {namespace}").snapshot().items():
            yield repr((key, entry)).encode()
