"""Appends that wait for one session are done in the first one's scope.

Calls are joined by tenant and session, and the user is forgotten.
"""

import asyncio

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.client import Client
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "several_callers"
CLAUSE = "ISO-1"


class Messages(MemoryMessages):
    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._first: dict[tuple[str, str], Scope] = {}

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        place = (scope.tenant, append.session_id)
        first = self._first.setdefault(place, scope)
        await asyncio.sleep(0)
        self._first.pop(place, None)
        return await super().append(first if append.create is None else scope, append)


class TestFault(OverMemory):
    messages = Messages
