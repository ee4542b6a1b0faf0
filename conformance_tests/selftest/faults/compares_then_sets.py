"""Compare-and-swap in two steps: the version is read and compared here, and set there without looking again.

adk#4751, lgjs#1996: read, compare, write, while another does the same.
"""

import asyncio

from agentkeep import Conflict
from agentkeep.records import Scope, SessionChanges, SessionRecord
from over_wire import OverWire
from wire.repositories import WireSessions

FAMILY = "concurrency"
CLAUSE = "SES-2"


class Sessions(WireSessions):
    async def update(
        self,
        scope: Scope,
        session_id: str,
        changes: SessionChanges,
        *,
        add: dict[str, int] | None = None,
        expected_version: int | None = None,
    ) -> SessionRecord:
        found = await self.get(scope, session_id)
        if expected_version not in (None, found.version):
            raise Conflict("version", "the session's version", expected=expected_version, actual=found.version)
        await asyncio.sleep(0.005)  # on one idle machine the gap is too short to be met each time
        return await super().update(scope, session_id, changes, add=add, expected_version=None)


class TestFault(OverWire):
    sessions = Sessions
