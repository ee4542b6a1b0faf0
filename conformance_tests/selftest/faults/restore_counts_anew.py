"""A restored session's last seq is that of the newest message it holds: seqs are given again.

Sequences that are not moved with their tables.
"""

from collections.abc import Sequence

from agentkeep.records import RestoredMessage, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "archive"
CLAUSE = "ORD-1"


class Sessions(MemorySessions):
    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[RestoredMessage]
    ) -> None:

        last_seq = messages[-1].seq if messages else 0
        await super().restore(scope, replace(record, last_seq=last_seq), labels, messages)


class TestFault(OverMemory):
    sessions = Sessions
