"""`resume` reads times as seconds in a float, which is exact to the microsecond for some centuries only."""

from datetime import UTC, datetime, timedelta

from agentkeep.records import MessageRecord, ResumedRecord, Scope
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "each_reading"
CLAUSE = "FID-3"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _rounded(record: MessageRecord) -> MessageRecord:
    seconds = (record.created_at - _EPOCH).total_seconds()
    return replace(record, created_at=_EPOCH + timedelta(seconds=seconds))


class Sessions(MemorySessions):
    async def resume(self, scope: Scope, session_id: str, *, tail: int) -> ResumedRecord:
        session, messages = await super().resume(scope, session_id, tail=tail)
        return ResumedRecord(session, [_rounded(each) for each in messages])


class TestFault(OverMemory):
    sessions = Sessions
