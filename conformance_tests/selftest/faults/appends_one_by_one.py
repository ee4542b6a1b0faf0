"""A batch goes to the server message by message: readers see half of it, and a lost connection leaves half of it.

chartsmith#176, Chainlit#1788: parts of a turn without the rest.
"""

import asyncio

import msgspec
from agentkeep.records import Append, AppendedRecord, Scope
from over_wire import OverWire
from wire.repositories import WireMessages

FAMILY = "processes"
CLAUSE = "ORD-2"


class Messages(WireMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        if len(append.messages) < 2 or append.truncate_after is not None:
            return await super().append(scope, append)
        first = msgspec.structs.replace(append, messages=append.messages[:1], keep_last=None)
        rest = msgspec.structs.replace(
            append, messages=append.messages[1:], changes=None, expected_version=None, expected_last_seq=None
        )
        stored = await super().append(scope, first)
        await asyncio.sleep(0.005)  # on one idle machine the gap is too short to be met each time
        last = await super().append(scope, rest)
        return last._replace(messages=[*stored.messages, *last.messages], new=stored.new + last.new)


class TestFault(OverWire):
    messages = Messages
