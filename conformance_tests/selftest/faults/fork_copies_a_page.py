"""A fork copies the first 1,000 messages.

google/adk-python#3559, mastra#19550: only the first page was read.
"""

from agentkeep.records import Fork, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "forks"
CLAUSE = "SES-5"


class Sessions(MemorySessions):
    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        return await super().fork(scope, replace(fork, at_seq=min(fork.at_seq or 1_000, 1_000)))


class TestFault(OverMemory):
    sessions = Sessions
