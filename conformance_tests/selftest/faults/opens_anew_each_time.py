"""A second `open` of an open keep begins with an empty database.

A set-up that drops what it finds, run by whoever opens.
"""

from typing import Any

from agentkeep import Keep
from over import Memory, OverMemory, plant

FAMILY = "lifecycle"
CLAUSE = "LIFE-2"

_open: Any = Keep.open


async def open_again(keep: Keep) -> Keep:
    again = keep.capabilities and getattr(keep, "_shared").is_open  # noqa: B009 - private to all but this lie
    await _open(keep)
    if again:
        adapter = getattr(keep, "_shared").adapter  # noqa: B009
        assert isinstance(adapter, Memory)
        adapter.restore({})
    return keep


plant(Keep, "open", open_again)


class TestFault(OverMemory):
    pass
