"""A watcher looks once a second and is never told of a change.

A notification that goes to another channel than the watcher's.
"""

from agentkeep.spi.notify import Key, Notifier
from over import OverMemory, plant

FAMILY = "watching"
CLAUSE = "WATCH-1"


def notify(self: Notifier, key: Key) -> None:
    """Wakes nobody."""


plant(Notifier, "notify", notify)


class TestFault(OverMemory):
    pass
