"""Of an append's `update`, the metadata lands without its index entries.

A write that goes by another path than the one which fills the index.
"""

from agentkeep.records import Append, AppendedRecord, Scope, SessionChanges
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "messages"
CLAUSE = "ORD-6"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        if append.changes is not None and "labels" in append.changes:
            append = replace(append, changes=append.changes | SessionChanges(labels=()))
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
