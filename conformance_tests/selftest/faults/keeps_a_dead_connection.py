"""A connection that died while idle is used all the same, and its failure handed to the user.

lg#5675 "SSL connection has been closed unexpectedly", adk#733: every turn after a quiet hour fails.
"""

from typing import Any

from agentkeep.records import Scope
from over_wire import OverWire
from wire.link import Connection, Link

FAMILY = "faults"
CLAUSE = "FLT-2"


class Trusting(Link):
    async def call(self, verb: str, scope: Scope | None, *arguments: Any, again: tuple[Any, ...] | None = None) -> Any:
        return await super().call(verb, scope, *arguments)

    async def take(self) -> Connection:
        return self.idle.pop() if self.idle else await super().take()


class TestFault(OverWire):
    link = Trusting
