"""`truncate_after` is done before ids and expectations are looked at: a refused append has cut the log.

llama_index PR#23183: the delete was committed, the insert failed, the history was gone.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "messages"
CLAUSE = "ORD-6"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        if append.truncate_after is not None:
            await self.truncate(scope, append.session_id, after_seq=append.truncate_after)
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
