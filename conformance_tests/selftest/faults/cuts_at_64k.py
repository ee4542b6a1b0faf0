"""A text longer than 65,535 characters is cut there.

openai-agents PR#4910: MySQL's TEXT.
"""

import msgspec
from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "fidelity"
CLAUSE = "FID-1"


def changed(payload: str) -> str:
    message = msgspec.json.decode(payload)
    if isinstance(message.get("content"), str):
        message["content"] = message["content"][:65_535]
    return msgspec.json.encode(message).decode()


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        lying = [replace(draft, payload=changed(draft.payload)) for draft in append.messages]
        return await super().append(scope, replace(append, messages=lying))


class TestFault(OverMemory):
    messages = Messages
