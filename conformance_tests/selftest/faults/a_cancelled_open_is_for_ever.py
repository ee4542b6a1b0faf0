"""An `open` that was cancelled is never repeated: it counts as under way.

Flags that are set before and reset nowhere.
"""

import asyncio

from agentkeep.errors import Unavailable
from over import Memory, OverMemory

FAMILY = "cancellation"
CLAUSE = "LIFE-1"


class Adapter(Memory):
    async def open(self) -> None:
        if getattr(self, "opening", False):
            raise Unavailable("this adapter is being opened")
        self.opening = True
        await asyncio.sleep(0)
        self.opening = False


class TestFault(OverMemory):
    adapter = Adapter
