"""In its own loop's thread the sync keep waits for that loop.

It hung for ever.
"""

from agentkeep._loops import Loop
from over import OverMemory, plant

FAMILY = "sync_faces"
CLAUSE = "LIFE-5"
HANGS = True


plant(Loop, "is_here", property(lambda self: False))


class TestFault(OverMemory):
    pass
