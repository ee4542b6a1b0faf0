"""A message's time is kept to the millisecond.

MongoDB's dates.
"""

from datetime import datetime

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "fidelity"
CLAUSE = "FID-3"


def in_milliseconds(at: datetime | None) -> datetime | None:
    return at and at.replace(microsecond=at.microsecond // 1000 * 1000)


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        drafts = [replace(draft, created_at=in_milliseconds(draft.created_at)) for draft in append.messages]
        return await super().append(scope, replace(append, messages=drafts))


class TestFault(OverMemory):
    messages = Messages
