"""A restored session goes on after the lower 32 bits of its last seq.

A column that is too small for what a session brings along.
"""

from collections.abc import Sequence

from agentkeep.records import RestoredMessage, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "bound_cursors"
CLAUSE = "ORD-1"


class Sessions(MemorySessions):
    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[RestoredMessage]
    ) -> None:
        await super().restore(scope, replace(record, last_seq=record.last_seq % 2**32), labels, messages)


class TestFault(OverMemory):
    sessions = Sessions
