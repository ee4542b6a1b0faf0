"""`health` answers with another adapter's name: it was copied.

Every template that is copied.
"""

from agentkeep.models import Health
from msgspec.structs import replace
from over import Memory, OverMemory

FAMILY = "capabilities"
CLAUSE = "ERR-1"


class Adapter(Memory):
    async def health(self) -> Health:
        return replace(await super().health(), adapter="another")


class TestFault(OverMemory):
    adapter = Adapter
