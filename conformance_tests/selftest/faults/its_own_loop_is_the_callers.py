"""A keep with its own loop calls its adapter in the caller's.

The option was read and not used.
"""

from collections.abc import Coroutine
from typing import Any

from agentkeep._loops import LoopThread
from over import OverMemory, plant

FAMILY = "loops"
CLAUSE = "LIFE-3"


async def arun(self: LoopThread, call: Coroutine[Any, Any, Any], **options: Any) -> Any:
    return await call


plant(LoopThread, "arun", arun)


class TestFault(OverMemory):
    pass
