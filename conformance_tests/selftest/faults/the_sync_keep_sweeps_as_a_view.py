"""The sync keep sweeps its own tenant alone.

It called the method of the view's class, which the keep's class overrides. So it was until issue 12.
"""

from agentkeep import View
from agentkeep.sync import SyncKeep, SyncView
from over import OverMemory, plant

FAMILY = "sync_verbs"
CLAUSE = "LIFE-5"


def sweep(self: SyncKeep, limit: int = 1000) -> int:
    return self.runner.run(View.sweep(self.asynchronous, limit))


plant(SyncView, "sweep", sweep)


class TestFault(OverMemory):
    pass
