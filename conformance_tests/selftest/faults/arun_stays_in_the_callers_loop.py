"""`arun` awaits the coroutine where it was called.

A bridge's pool then meets two event loops.
"""

from collections.abc import Coroutine
from typing import Any

from agentkeep.sync import SyncKeep
from over import OverMemory, plant

FAMILY = "sync_faces"
CLAUSE = "LIFE-5"


async def arun(self: SyncKeep, call: Coroutine[Any, Any, Any]) -> Any:
    return await call


plant(SyncKeep, "arun", arun)


class TestFault(OverMemory):
    pass
