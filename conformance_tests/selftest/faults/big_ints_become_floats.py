"""An int beyond 2**53 goes through a double.

JavaScript and Lua clients; LangGraph's and py-key-value's planted faults.
"""

import re

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "fidelity"
CLAUSE = "FID-1"


def changed(payload: str) -> str:
    return re.sub(r"(?<=[\[:,])-?[0-9]{17,}(?=[\],}])", lambda found: str(int(float(found[0]))), payload)


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        lying = [replace(draft, payload=changed(draft.payload)) for draft in append.messages]
        return await super().append(scope, replace(append, messages=lying))


class TestFault(OverMemory):
    messages = Messages
