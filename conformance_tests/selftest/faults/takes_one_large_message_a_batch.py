"""A batch is refused by the server if its messages together are over 8 MiB.

agno#4332, DynamoDB: the limit is the request's, not the row's.
"""

from agentkeep.errors import Unavailable
from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "capabilities"
CLAUSE = "FID-4"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:

        sizes = [len(draft.payload) for draft in append.messages]
        if len(sizes) > 2 and sum(sizes) > 8 * 2**20:
            raise Unavailable("the request is too large")
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
