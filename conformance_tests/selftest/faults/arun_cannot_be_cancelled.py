"""A cancelled `arun` leaves its coroutine running.

`run_coroutine_threadsafe` without a `cancel` of its future.
"""

import asyncio
from typing import Any

from agentkeep import _loops
from over import OverMemory, plant

FAMILY = "sync_faces"
CLAUSE = "LIFE-5"


async def wait(started: Any, cancel: Any, waiting: Any) -> Any:
    return await asyncio.shield(asyncio.wrap_future(started.ended))


plant(_loops, "_wait_in_asyncio", wait)


class TestFault(OverMemory):
    pass
