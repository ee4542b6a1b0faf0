"""The timeout begins once there is a connection.

Redis' adapter: `timeout=0.5` let calls take 4 s.
"""

from typing import Any

from agentkeep.records import Scope
from over_wire import OverWire
from wire.link import Link

FAMILY = "timeouts"
CLAUSE = "FLT-5"


class Queueing(Link):
    """One call at a time; the time in the queue is not counted."""

    def open(self) -> None:
        import asyncio

        self.queue = asyncio.Semaphore(1)
        super().open()

    async def ask(self, verb: str, scope: Scope | None, arguments: tuple[Any, ...]) -> Any:
        async with self.queue:
            return await super().ask(verb, scope, arguments)


class TestFault(OverWire):
    link = Queueing
