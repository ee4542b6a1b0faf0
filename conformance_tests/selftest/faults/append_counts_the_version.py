"""A plain append adds 1 to the version, so that every writer with a version is stale.

google/adk-python#917, #3717: one's own append made the session that was just read a stale one.
"""

from agentkeep.records import Append, AppendedRecord, Scope, SessionChanges
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "sessions"
CLAUSE = "SES-2"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        return await super().append(scope, replace(append, changes=append.changes or SessionChanges()))


class TestFault(OverMemory):
    messages = Messages
