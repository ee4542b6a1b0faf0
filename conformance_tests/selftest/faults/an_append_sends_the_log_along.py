"""An append reads the log and sends it back before it writes the new message.

agno#7479, af#7211: each turn writes the whole history.
"""

from agentkeep.records import Append, AppendedRecord, MessageRange, Scope, SearchQuery
from over_wire import OverWire
from wire.repositories import WireMessages

FAMILY = "cost"
CLAUSE = "COST-2"


class Messages(WireMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        log = await self.list(scope, append.session_id, MessageRange(limit=10_000))
        everything = " ".join(message.payload for message in log)
        await self.search(scope, SearchQuery(words=(everything,), session_id=append.session_id, limit=1))
        return await super().append(scope, append)


class TestFault(OverWire):
    messages = Messages
