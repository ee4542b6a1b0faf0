"""A driver's default: each request whose reply was lost is sent again, so that a pop takes two.

redis-py 8 with its own retries: RPUSH, INCR, MULTI and EVALSHA were done twice and said to be done.
"""

from typing import Any

from agentkeep.records import Scope
from over_wire import OverWire
from wire.link import Link

FAMILY = "faults"
CLAUSE = "ERR-2"


class Resending(Link):
    async def call(self, verb: str, scope: Scope | None, *arguments: Any, again: tuple[Any, ...] | None = None) -> Any:
        return await super().call(verb, scope, *arguments, again=again or arguments)


class TestFault(OverWire):
    link = Resending
