"""A message's JSON comes back with its keys sorted.

phoenix#7254, dspy PR#10227: jsonb sorts, and the prompt cache misses.
"""

import json

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "fidelity"
CLAUSE = "FID-1"


def changed(payload: str) -> str:
    try:
        return json.dumps(json.loads(payload), sort_keys=True, ensure_ascii=False)
    except (RecursionError, ValueError):
        return payload


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        lying = [replace(draft, payload=changed(draft.payload)) for draft in append.messages]
        return await super().append(scope, replace(append, messages=lying))


class TestFault(OverMemory):
    messages = Messages
