"""In another event loop the driver's own error comes out.

Redis: "Event loop is closed" from the driver.
"""

import asyncio
from typing import Any

from over import Memory, OverMemory

FAMILY = "loops"
CLAUSE = "ERR-1"


class Bound(Memory):
    """It belongs to the event loop that opened it, and says so as a driver does."""

    opened_in: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        self.opened_in = asyncio.get_running_loop()
        await super().open()

    def __getattribute__(self, name: str) -> Any:
        if name in ("sessions", "messages", "health", "sweep"):
            opened_in = object.__getattribute__(self, "opened_in")
            if opened_in is not None and opened_in is not asyncio.get_running_loop():
                raise RuntimeError("Event loop is closed")
        return super().__getattribute__(name)


class TestFault(OverMemory):
    adapter = Bound
