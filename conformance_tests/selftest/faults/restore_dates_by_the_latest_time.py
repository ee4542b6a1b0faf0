"""The last message's time of a restored session is the latest of its messages' times.

max() in the place of the last one.
"""

from collections.abc import Sequence

from agentkeep.records import RestoredMessage, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "archive"
CLAUSE = "CNT-1"


class Sessions(MemorySessions):
    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[RestoredMessage]
    ) -> None:
        latest = max((message.created_at for message in messages if message.created_at), default=None)
        await super().restore(scope, replace(record, last_message_at=latest), labels, messages)


class TestFault(OverMemory):
    sessions = Sessions
