"""Each instance counts the seqs that it gives itself, from what it saw when it first appended.

Every cache of max(seq): two hosts give the same numbers.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "messages"
CLAUSE = "ORD-1"


class Messages(MemoryMessages):
    _given: int | None = None

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        entry = self._client.find(scope, append.session_id, self._client.now())
        before = len(entry.log)
        stored = await super().append(scope, append)
        if len(entry.log) - before != stored.new or not stored.new:
            return stored
        start = entry.log[before].seq if self._given is None else self._given + 1
        self._given = start + stored.new - 1
        entry.log[before:] = [replace(message, seq=seq) for seq, message in enumerate(entry.log[before:], start)]
        return stored._replace(messages=entry.log[before:])


class TestFault(OverMemory):
    messages = Messages
