"""`get_many` asks for one message after another.

Bridges did: 104 calls for a batch of 100.
"""

from collections.abc import Sequence

from agentkeep import MessageNotFound
from agentkeep.records import MessageRecord, Scope
from over_wire import OverWire
from wire.repositories import WireMessages

FAMILY = "cost_reads"
CLAUSE = "COST-1"


class Messages(WireMessages):
    async def get_many(self, scope: Scope, session_id: str, message_ids: Sequence[str]) -> list[MessageRecord]:
        found: list[MessageRecord] = []
        for message_id in message_ids:
            try:
                found.append(await self.get(scope, session_id, message_id))
            except MessageNotFound:
                continue
        return found


class TestFault(OverWire):
    messages = Messages
