"""`health` reports how long the server worked, and not how long the round trip took: a slow network is not seen."""

from datetime import timedelta

from agentkeep.models import Health
from msgspec.structs import replace
from over_wire import OverWire
from wire.adapter import WireAdapter

FAMILY = "declarations"
CLAUSE = "ERR-1"


class Reports(WireAdapter):
    async def health(self) -> Health:
        return replace(await super().health(), latency=timedelta(microseconds=3))


class TestFault(OverWire):
    adapter = Reports
