"""Closing the sync face of an open keep closes the keep.

One `close` for both.
"""

from agentkeep.sync import SyncKeep
from over import OverMemory, plant

FAMILY = "loops"
CLAUSE = "LIFE-3"


def close(self: SyncKeep) -> None:
    closed(self)
    self.asynchronous._shared.is_open = False  # pyright: ignore[reportPrivateUsage]


closed = SyncKeep.close
plant(SyncKeep, "close", close)


class TestFault(OverMemory):
    pass
