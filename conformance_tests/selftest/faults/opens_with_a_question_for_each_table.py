"""Opening what is current asks again and again: a cold start of many small questions.

mastra#13075: start-up in a serverless function that times out.
"""

from over_wire import OverWire
from wire.adapter import WireAdapter

FAMILY = "cost"
CLAUSE = "LIFE-1"


class Asking(WireAdapter):
    async def open(self) -> None:
        await super().open()
        for _ in range(4):
            await self.health()


class TestFault(OverWire):
    adapter = Asking
