"""What a planted fault stands on: enrolments of adapters that are right, with room for one lie."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from agentkeep import PersistenceAdapter
from agentkeep.records import Scope
from agentkeep_conformance import AdapterConformance
from agentkeep_memory import MemoryAdapter
from agentkeep_memory.client import Client, Database
from agentkeep_memory.messages import MemoryMessages
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace


class Memory(MemoryAdapter):
    """The memory adapter with repositories of the fault's choice."""

    def plant(self, sessions: type[MemorySessions], messages: type[MemoryMessages]) -> None:
        self.sessions = sessions(self._client)
        self.messages = messages(self._client)

    def remembered(self) -> str:
        """What a lie keeps beside the data, as text."""
        return repr(beside(self._client.database))


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


async def bring_back_late(client: Client, scope: Scope, session_id: str) -> None:
    """What a write does that looks whether a session lives, and then waits: one that expired meanwhile lives on."""
    entry = client.find_any(scope, session_id, client.now())
    await asyncio.sleep(0.05)
    if entry is not None and entry.is_expired(client.now()):
        entry.record = replace(entry.record, expires_at=client.now() + timedelta(seconds=1))


def of_anyone(database: Database, scope: Scope, session_id: str) -> Scope:
    """The scope of whoever has a session of that id, preferably the asker's own: what a missing tenant filter finds."""
    if (scope.tenant, session_id) in database.entries:
        return scope
    return next((Scope(tenant) for tenant, name in database.entries if name == session_id), scope)


_beside: WeakKeyDictionary[Database, dict[Any, Any]] = WeakKeyDictionary()


def beside(database: Database) -> dict[Any, Any]:
    """What a lie has to remember, beside the data of one database."""
    return _beside.setdefault(database, {})


def every_tenant(database: Database, scope: Scope) -> list[Scope]:
    """The scopes of all tenants: what a query without a tenant sees."""
    return [Scope(tenant, scope.user_id) for tenant in sorted({tenant for tenant, _ in database.entries})]
