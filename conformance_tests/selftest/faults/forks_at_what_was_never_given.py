"""An `at_seq` beyond the log is taken for its end.

min(at_seq, last_seq).
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
        at_seq = None if fork.at_seq is None else min(fork.at_seq, last_seq)
        return await super().fork(scope, replace(fork, at_seq=at_seq))


class TestFault(OverMemory):
    sessions = Sessions
