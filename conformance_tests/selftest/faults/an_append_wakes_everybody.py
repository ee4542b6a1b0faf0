"""Each append wakes all watchers, who look whether it is theirs.

One condition variable for all.
"""

from agentkeep.spi.notify import Key, Notifier
from over import OverMemory, plant

FAMILY = "watching_many"
CLAUSE = "WATCH-2"


def notify(self: Notifier, key: Key) -> None:
    self.notify_all()


plant(Notifier, "notify", notify)


class TestFault(OverMemory):
    pass
