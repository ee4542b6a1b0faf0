"""A fork at seq 0 copies the whole log: 0 is taken for 'not given'.

`at_seq or last_seq`, the classic.
"""

from agentkeep.records import Fork, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "forks"
CLAUSE = "SES-5"


class Sessions(MemorySessions):
    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        last_seq = (await self.get(scope, fork.session_id)).last_seq
        return await super().fork(scope, replace(fork, at_seq=fork.at_seq or last_seq))


class TestFault(OverMemory):
    sessions = Sessions
