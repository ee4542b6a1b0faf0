"""The next seq is the newest message's plus one, so that a removed message's seq is given again.

max(seq) + 1 over what is left.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "messages"
CLAUSE = "ORD-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        entry = self._client.find(scope, append.session_id, self._client.now())
        kept = [message.seq for message in entry.log if message.seq <= (append.truncate_after or message.seq)]
        if append.expected_last_seq is None and not append.may_be_stored:
            entry.record = replace(entry.record, last_seq=kept[-1] if kept else 0)
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
