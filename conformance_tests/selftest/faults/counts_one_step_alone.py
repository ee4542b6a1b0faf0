"""A count ends after its first step, however many sessions there are.

On SQLite a step has 2,000 sessions, which no test had: two people planted it, and it lived.
"""

from typing import ClassVar

from agentkeep.records import Scope, SessionQuery
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "stateful"
CLAUSE = "ORD-5"
STEP = 2_000


class Sessions(MemorySessions):
    async def count(self, scope: Scope, query: SessionQuery) -> int:
        return min(STEP, await super().count(scope, query))


class TestFault(OverMemory):
    sessions = Sessions
    small_steps: ClassVar[dict[str, int]] = {f"{__name__}.STEP": 1}
