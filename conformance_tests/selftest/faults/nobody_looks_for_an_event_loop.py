"""Under trio a call goes on until something in it needs asyncio.

The first edition: `RuntimeError: no running event loop`, or a hang.
"""

import asyncio
from typing import Any

from agentkeep._adapter_state import AdapterState
from over import Memory, OverMemory, plant

FAMILY = "loops"
CLAUSE = "ERR-1"


def require_open(self: AdapterState) -> None:
    """Whatever runs here."""


class Waiting(Memory):
    """It waits for something of asyncio, as every adapter with a server does."""

    async def open(self) -> None:
        await asyncio.sleep(0.001)
        await super().open()

    def __getattribute__(self, name: str) -> Any:
        if name in ("sessions", "messages", "health", "sweep"):
            asyncio.get_running_loop()
        return super().__getattribute__(name)


plant(AdapterState, "require_open", require_open)


class TestFault(OverMemory):
    adapter = Waiting
