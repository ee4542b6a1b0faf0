"""An append that both updates the session and keeps only the newest messages loses the route that it set.

Options that were tested one by one.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "messages"
CLAUSE = "ORD-6"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:

        if append.keep_last is not None and append.changes is not None and "current_route" in append.changes:
            changes = append.changes.copy()
            changes.pop("current_route")
            return await super().append(scope, replace(append, changes=changes))
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
