"""`create` of an append is set on a living session too.

INSERT … ON CONFLICT DO UPDATE.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "creating"
CLAUSE = "SES-7"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        stored = await super().append(scope, append)
        entry = self._client.find(scope, append.session_id, self._client.now())
        if append.create is not None and append.create.title is not None:
            entry.record = replace(entry.record, title=append.create.title)
        return stored


class TestFault(OverMemory):
    messages = Messages
