"""Opened under trio, the error is Python's own.

As above, at the first call of all.
"""

import asyncio

from agentkeep._adapter_state import AdapterState
from over import OverMemory, plant

FAMILY = "loops"
CLAUSE = "ERR-1"


async def open_here(self: AdapterState) -> None:
    asyncio.get_running_loop()
    await opened(self)


opened = AdapterState.open_here
plant(AdapterState, "open_here", open_here)


class TestFault(OverMemory):
    pass
