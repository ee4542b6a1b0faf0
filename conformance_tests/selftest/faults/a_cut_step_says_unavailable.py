"""A connection that breaks between two steps is `Unavailable`, with sessions gone.

`delete_many` and `sweep` did so.
"""

from collections.abc import Awaitable, Callable

from agentkeep import keep, sessions
from over import plant
from over_wire import OverWire

FAMILY = "steps"
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


class TestFault(OverWire):
    pass
