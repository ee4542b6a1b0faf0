"""Opened under trio, the error is Python's own.

As above, at the first call of all.
"""

import asyncio

from agentkeep._shared import Shared
from over import OverMemory, plant

FAMILY = "loops"
CLAUSE = "ERR-1"


async def open_here(self: Shared) -> None:
    asyncio.get_running_loop()
    await opened(self)


opened = Shared.open_here
plant(Shared, "open_here", open_here)


class TestFault(OverMemory):
    pass
