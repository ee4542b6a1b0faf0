"""What was written is gone when an instance is closed.

A store in a process's memory, used as if it stayed.
"""

from over import Memory, OverMemory

FAMILY = "lifecycle"
CLAUSE = "LIFE-2"


class Adapter(Memory):
    async def close(self) -> None:
        self.restore({})


class TestFault(OverMemory):
    adapter = Adapter
