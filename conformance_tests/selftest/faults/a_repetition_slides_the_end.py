"""A call that is repeated counts as use: the session lives longer than it should.

The session is written back whether or not something landed.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "plain_rules"
CLAUSE = "IDEM-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        appended = await super().append(scope, append)
        if append.messages and not appended.new:
            now = self._client.now()
            self._client.find(scope, append.session_id, now).touch(now, slide=True)
        return appended


class TestFault(OverMemory):
    messages = Messages
