"""An append that does more than append takes a time of 0 for no time, and stores the present.

`micros(created_at) or now` is one slip from that; a plain append goes another way.
"""

from datetime import UTC, datetime

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "fidelity"
CLAUSE = "FID-3"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        if append.changes is not None:
            drafts = [
                replace(draft, created_at=None if draft.created_at == EPOCH else draft.created_at)
                for draft in append.messages
            ]
            append = replace(append, messages=drafts)
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
