"""What a planted fault stands on: enrolments of adapters that are right, with a place for one lie."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from agentkeep import PersistenceAdapter
from agentkeep.records import Scope
from agentkeep_conformance import AdapterConformance
from agentkeep_memory import MemoryAdapter
from agentkeep_memory.messages import MemoryMessages
from agentkeep_memory.sessions import MemorySessions
from agentkeep_memory.tables import Tables


class Memory(MemoryAdapter):
    """The memory adapter with repositories of the fault's choice."""

    def plant(self, sessions: type[MemorySessions], messages: type[MemoryMessages]) -> None:
        self.sessions = sessions(self._tables, self._clock)
        self.messages = messages(self._tables, self._clock, self._notifier)

    def remembered(self) -> str:
        """What a lie keeps beside the data, as text."""
        return repr(beside(self._tables))


class OverMemory(AdapterConformance):
    adapter: ClassVar[type[Memory]] = Memory
    sessions: ClassVar[type[MemorySessions]] = MemorySessions
    messages: ClassVar[type[MemoryMessages]] = MemoryMessages

    def open(self, dsn: str, namespace: str, **options: Any) -> PersistenceAdapter:
        adapter = self.adapter(f"{dsn}{namespace}", **options)
        adapter.plant(self.sessions, self.messages)
        return adapter

    async def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        adapter = Memory(f"{dsn}{namespace}")
        for key, entry in adapter.snapshot().items():
            yield repr((key, entry)).encode()
        yield adapter.remembered().encode()


def plant(where: object, name: str, lie: object) -> None:
    """Make core itself lie, in this process and for good: such a fault is run in a process of its own."""
    getattr(where, name)
    setattr(where, name, lie)


def of_anyone(tables: Tables, scope: Scope, session_id: str) -> Scope:
    """The scope of whoever has a session of that id, preferably the asker's own: what a missing tenant filter finds."""
    if (scope.tenant, session_id) in tables.entries:
        return scope
    return next((Scope(tenant) for tenant, name in tables.entries if name == session_id), scope)


_beside: WeakKeyDictionary[Tables, dict[Any, Any]] = WeakKeyDictionary()


def beside(tables: Tables) -> dict[Any, Any]:
    """A place beside the data of one database, for what a lie has to remember."""
    return _beside.setdefault(tables, {})


def every_tenant(tables: Tables, scope: Scope) -> list[Scope]:
    """The scopes of all tenants: what a query without a tenant sees."""
    return [Scope(tenant, scope.user_id) for tenant in sorted({tenant for tenant, _ in tables.entries})]
