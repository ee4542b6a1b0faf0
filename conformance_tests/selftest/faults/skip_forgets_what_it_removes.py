"""The result of an append with "skip" lacks the stored messages that the same call removes.

The MongoDB adapter read them after the commit.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "skipping"
CLAUSE = "IDEM-3"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        result = await super().append(scope, append)
        if append.stored != "skip":
            return result
        held = self._client.database.entries[scope.tenant, append.session_id].by_id
        return result._replace(messages=[message for message in result.messages if message.id in held])


class TestFault(OverMemory):
    messages = Messages
