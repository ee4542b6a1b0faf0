"""A watch goes on after its keep was closed, and its caller waits for ever.

The memory adapter of ours did, before its first release.
"""

from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "watching"
CLAUSE = "LIFE-2"
HANGS = True


class Messages(MemoryMessages):
    @property
    def is_closed(self) -> bool:
        return False

    @is_closed.setter
    def is_closed(self, value: bool) -> None:
        """Forget it."""


class TestFault(OverMemory):
    messages = Messages
