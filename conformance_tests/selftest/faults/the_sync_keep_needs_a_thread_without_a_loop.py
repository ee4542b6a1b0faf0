"""The sync keep runs each call with `asyncio.run`.

The usual sync wrapper: in a notebook it raises, and a pool belongs to the loop of one call.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from agentkeep._loops import LoopThread
from over import OverMemory, plant

FAMILY = "sync_faces"
CLAUSE = "LIFE-5"


def run(self: LoopThread, call: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(call)


plant(LoopThread, "run", run)


class TestFault(OverMemory):
    pass
