"""What a planted fault stands on: enrolments of adapters that are right, with a place for one lie."""

from __future__ import annotations

from typing import Any, ClassVar

from agentkeep import PersistenceAdapter
from agentkeep_conformance import AdapterConformance
from agentkeep_memory import MemoryAdapter
from agentkeep_memory.messages import MemoryMessages
from agentkeep_memory.sessions import MemorySessions


class Memory(MemoryAdapter):
    """The memory adapter with repositories of the fault's choice."""

    def plant(self, sessions: type[MemorySessions], messages: type[MemoryMessages]) -> None:
        self.sessions = sessions(self._tables, self._clock)
        self.messages = messages(self._tables, self._clock)


class OverMemory(AdapterConformance):
    adapter: ClassVar[type[Memory]] = Memory
    sessions: ClassVar[type[MemorySessions]] = MemorySessions
    messages: ClassVar[type[MemoryMessages]] = MemoryMessages

    def open(self, dsn: str, namespace: str, **options: Any) -> PersistenceAdapter:
        adapter = self.adapter(f"{dsn}{namespace}", **options)
        adapter.plant(self.sessions, self.messages)
        return adapter
