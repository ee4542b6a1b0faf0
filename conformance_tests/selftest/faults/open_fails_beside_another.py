"""`open` looks whether the schema is there and then creates it: of several at once, all but one fail.

openai-agents PR#4987: 20 of 160 concurrent starts failed; google/adk-python#1561.
"""

import asyncio

from agentkeep.errors import Unavailable
from over import Memory, OverMemory, beside

FAMILY = "lifecycle"
CLAUSE = "LIFE-1"


class Adapter(Memory):
    async def open(self) -> None:
        there = beside(self._client.database)
        if "schema" not in there:
            await asyncio.sleep(0)
            if "schema" in there:
                raise Unavailable("the table exists already")
            there["schema"] = True


class TestFault(OverMemory):
    adapter = Adapter
