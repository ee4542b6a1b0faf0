"""The tenant filter is missing in `messages.append`.

One query of many that forgot the tenant; Flowise PR#1497 mixed the memories of users.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory, of_anyone

FAMILY = "isolation"
CLAUSE = "ISO-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        scope = of_anyone(self._client.database, scope, append.session_id)
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
