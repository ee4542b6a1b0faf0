"""To resume, the whole log is walked.

A slice after the read.
"""

from agentkeep.records import ResumedRecord, Scope
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "cost_reads"
CLAUSE = "READ-3"


class Sessions(MemorySessions):
    async def resume(self, scope: Scope, session_id: str, *, tail: int) -> ResumedRecord:
        found = await super().resume(scope, session_id, tail=2**40)
        newest = [record for record in found.messages if str(record.seq)]
        return ResumedRecord(found.session, newest[:tail])


class TestFault(OverMemory):
    sessions = Sessions
