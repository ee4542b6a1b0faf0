"""A watch goes on after its keep was closed, and its caller waits for ever.

The memory adapter of ours did, before its first release.
"""

from typing import Any

from agentkeep.spi.notify import Notifier
from over import Memory, OverMemory

FAMILY = "watching"
CLAUSE = "LIFE-2"
HANGS = True


class NeverCloses(Notifier):
    def close(self) -> None:
        """Tell nobody."""


class Adapter(Memory):
    def __init__(self, database: str, **options: Any) -> None:
        super().__init__(database, **options)
        self._client.notifier = NeverCloses()


class TestFault(OverMemory):
    adapter = Adapter
