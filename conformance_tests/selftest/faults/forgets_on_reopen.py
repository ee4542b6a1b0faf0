"""What was written is gone when an instance is closed.

better-auth and flowise: a store in a process's memory, sold as one that stays.
"""

from over import Memory, OverMemory

FAMILY = "lifecycle"
CLAUSE = "LIFE-2"


class Adapter(Memory):
    async def close(self) -> None:
        self.clear()


class TestFault(OverMemory):
    adapter = Adapter
