"""A message over 8 MiB is refused by the server, though twice that is declared.

LibreChat PR#14157, PiperChat#148: MongoDB's 16 MB.
"""

from agentkeep.errors import Unavailable
from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "capabilities"
CLAUSE = "FID-4"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:

        if any(len(draft.payload) > 8 * 2**20 for draft in append.messages):
            raise Unavailable("the server closed the connection")
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
