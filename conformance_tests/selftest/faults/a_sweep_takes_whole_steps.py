"""A sweep with a limit removes as many sessions as its steps have room for.

The last step was not cut to what was left of the limit.
"""

from collections.abc import Awaitable, Callable

from agentkeep import _steps, keep
from over import OverMemory, plant

FAMILY = "ttl"
CLAUSE = "TTL-2"


exact = _steps.in_steps


async def in_steps(remove: Callable[[int], Awaitable[int]], *, most: int | None = None) -> int:
    return await exact(remove, most=None if most is None else -(-most // 100) * 100)


plant(keep, "in_steps", in_steps)


class TestFault(OverMemory):
    pass
