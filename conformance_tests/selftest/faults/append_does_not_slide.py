"""An append does not move the end of a session that has an idle time to live: it ends in mid-conversation.

lg-redis#38: TTL not as documented; tomcounsell/ai#2698.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "ttl"
CLAUSE = "TTL-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:

        return await super().append(scope, replace(append, idle_ttl=None))


class TestFault(OverMemory):
    messages = Messages
