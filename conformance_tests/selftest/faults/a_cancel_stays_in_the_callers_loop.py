"""A call that was cancelled in the caller's loop goes on in the keep's.

`run_coroutine_threadsafe` without a `cancel` of its future.
"""

from typing import Any

from agentkeep import _loops
from over import OverMemory, plant

FAMILY = "loops"
CLAUSE = "LIFE-3"


async def wait(started: Any, cancel: Any, waiting: Any) -> Any:
    import asyncio

    return await asyncio.wrap_future(started.ended)


plant(_loops, "_wait_in_asyncio", wait)


class TestFault(OverMemory):
    pass
