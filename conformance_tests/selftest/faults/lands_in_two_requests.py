"""An append's messages go to the server first and its `update` after them: a process killed between leaves half.

google/adk-python#6823: the session's row was there without the state's.
"""

import asyncio

from agentkeep.records import Append, AppendedRecord, Scope
from msgspec.structs import replace
from over_wire import OverWire
from wire.repositories import WireMessages

FAMILY = "crashes"
CLAUSE = "ORD-6"


class Messages(WireMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        if append.changes is None or not append.messages or append.truncate_after is not None:
            return await super().append(scope, append)
        stored = await super().append(scope, replace(append, changes=None))
        await asyncio.sleep(0.2)  # long beside how late a loaded machine kills
        await self.link.call("sessions.update", scope, append.session_id, append.changes, None, None)
        return stored


class TestFault(OverWire):
    messages = Messages
