"""A step that fails says that nothing was written, although steps before it removed sessions.

`delete_many` and `sweep` raised `Unavailable` with sessions gone.
"""

from collections.abc import Awaitable, Callable

from agentkeep import keep, sessions
from over import OverMemory, plant

FAMILY = "error_values"
CLAUSE = "ERR-2"


async def in_steps(remove: Callable[[int], Awaitable[int]], *, most: int | None = None) -> int:
    done = 0
    while most is None or done < most:
        limit = 100 if most is None else min(100, most - done)
        removed = await remove(limit)
        done += removed
        if removed < limit:
            break
    return done


for module in (keep, sessions):
    plant(module, "in_steps", in_steps)


class TestFault(OverMemory):
    pass
