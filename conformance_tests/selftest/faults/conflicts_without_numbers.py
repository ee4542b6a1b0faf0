"""A conflict does not say what was expected and found.

google/adk-python#1733: 'stale session', and nobody can tell against what.
"""

from agentkeep.errors import Conflict
from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "messages"
CLAUSE = "ORD-4"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        try:
            return await super().append(scope, append)
        except Conflict as error:
            raise Conflict("version", "stale", expected=None, actual=None) from error


class TestFault(OverMemory):
    messages = Messages
