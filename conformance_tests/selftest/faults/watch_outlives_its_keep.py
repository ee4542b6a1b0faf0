"""A watch goes on after its keep was closed, and its caller waits for ever.

The memory adapter of ours did, before its first release.
"""

from agentkeep.spi.clock import Clock
from agentkeep.spi.notify import Notifier
from agentkeep_memory.messages import MemoryMessages
from agentkeep_memory.tables import Tables
from over import OverMemory

FAMILY = "watching"
CLAUSE = "LIFE-2"
HANGS = True


class NeverCloses(Notifier):
    def close(self) -> None:
        """Tell nobody."""


class Messages(MemoryMessages):
    def __init__(self, tables: Tables, clock: Clock) -> None:
        super().__init__(tables, clock)
        self.notifier = NeverCloses()


class TestFault(OverMemory):
    messages = Messages
