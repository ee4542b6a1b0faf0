"""`expected_version=0` is taken for no expectation.

`if expected_version:`
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "creating"
CLAUSE = "SES-7"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        return await super().append(scope, replace(append, expected_version=append.expected_version or None))


class TestFault(OverMemory):
    messages = Messages
