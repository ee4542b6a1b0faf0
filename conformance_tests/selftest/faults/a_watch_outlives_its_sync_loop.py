"""A watch that the sync face leaves goes on in the keep's loop.

The generator was left to the garbage collector.
"""

from typing import Any

from agentkeep import _blocking
from over import OverMemory, plant

FAMILY = "handing_on"
CLAUSE = "LIFE-5"
kept: list[Any] = []


async def close(rows: Any) -> None:
    kept.append(rows)


plant(_blocking, "_close", close)


class TestFault(OverMemory):
    pass
