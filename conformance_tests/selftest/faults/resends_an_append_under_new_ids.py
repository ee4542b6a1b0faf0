"""An append whose reply was lost is sent again under new ids, since the caller gave none.

oai#1699, agno#4332: messages stored twice after a retry.
"""

from uuid import uuid4

import msgspec
from agentkeep.records import Append, AppendedRecord, Scope
from over_wire import OverWire
from wire.repositories import WireMessages

FAMILY = "faults"
CLAUSE = "ERR-2"


class Messages(WireMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        if append.may_be_stored:
            return await super().append(scope, append)
        fresh = [msgspec.structs.replace(draft, id=uuid4().hex) for draft in append.messages]
        again = msgspec.structs.replace(append, messages=fresh)
        return await self.link.call("messages.append", scope, append, again=(again,))


class TestFault(OverWire):
    messages = Messages
