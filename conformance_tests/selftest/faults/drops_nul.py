"""The character NUL is dropped from a message.

open-webui#15616, coder PR#22946: PostgreSQL's text has no NUL, so it is stripped.
"""

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "fidelity"
CLAUSE = "FID-2"


def changed(payload: str) -> str:
    return payload.replace("\\u0000", "")


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        lying = [replace(draft, payload=changed(draft.payload)) for draft in append.messages]
        return await super().append(scope, replace(append, messages=lying))


class TestFault(OverMemory):
    messages = Messages
