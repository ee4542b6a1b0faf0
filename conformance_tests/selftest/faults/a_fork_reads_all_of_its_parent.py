"""A fork reads the whole log of its parent, and copies the beginning.

The copy was a filter over all messages.
"""

from agentkeep.records import Fork, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "forks"
CLAUSE = "SES-5"


class Sessions(MemorySessions):
    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        entry = self._client.find(scope, fork.session_id, self._client.now())
        for message in entry.log:
            len(message.payload)
        return await super().fork(scope, fork)


class TestFault(OverMemory):
    sessions = Sessions
