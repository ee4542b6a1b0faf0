"""An append whose outcome is not known is answered as if it had been stored.

Chainlit#2789, af#7211: persistence in the background, whose errors nobody hears.
"""

from datetime import UTC, datetime

from agentkeep import OutcomeUnknown, Unavailable
from agentkeep.records import Append, AppendedRecord, MessageRecord, Scope
from over_wire import OverWire
from wire.repositories import WireMessages

FAMILY = "crashes"
CLAUSE = "FLT-1"


class Messages(WireMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        try:
            return await super().append(scope, append)
        except (OutcomeUnknown, Unavailable):
            now = datetime.now(UTC)
            lost = [
                MessageRecord(id=draft.id, seq=seq, role=draft.role, payload=draft.payload, created_at=now)
                for seq, draft in enumerate(append.messages, 1)
            ]
            return AppendedRecord(lost, 1, len(lost), len(lost))


class TestFault(OverWire):
    messages = Messages
