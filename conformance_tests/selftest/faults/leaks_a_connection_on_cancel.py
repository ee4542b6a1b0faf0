"""A cancelled call takes its place in the pool along.

sqlalchemy#12099, asyncpg#464: connections lost to CancelledError until the pool is empty.
"""

import asyncio
from typing import Any

from agentkeep.records import Scope
from over_wire import OverWire
from wire.link import Link

FAMILY = "cancellation"
CLAUSE = "FLT-3"
HANGS = True


class Leaking(Link):
    async def ask(self, verb: str, scope: Scope | None, arguments: tuple[Any, ...]) -> Any:
        try:
            return await super().ask(verb, scope, arguments)
        except asyncio.CancelledError:
            self.free._value -= 1  # pyright: ignore[reportPrivateUsage]
            raise


class TestFault(OverWire):
    link = Leaking
