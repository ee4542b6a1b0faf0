"""Ids that core chose are never looked for: a record that arrives twice is stored twice, under fresh ids.

A driver's silent retry (redis-py 8).
"""

from uuid import uuid4

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "resending"
CLAUSE = "IDEM-2"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        entry = self._client.find_any(scope, append.session_id, self._client.now())
        if entry is None or append.may_be_stored:
            return await super().append(scope, append)
        drafts = [replace(each, id=uuid4().hex) if each.id in entry.by_id else each for each in append.messages]
        return await super().append(scope, replace(append, messages=drafts))


class TestFault(OverMemory):
    messages = Messages
