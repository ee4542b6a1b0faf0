"""An error quotes what was to be stored.

asyncpg's DETAIL has the key's values; many drivers put a statement's parameters into their messages.
"""

from agentkeep import Conflict
from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "error_values"
CLAUSE = "ERR-3"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        try:
            return await super().append(scope, append)
        except Conflict as error:
            error.args = (f"{error}: {[draft.payload for draft in append.messages]}",)
            raise


class TestFault(OverMemory):
    messages = Messages
