"""Compare-and-swap under a lock of the process: right in every test that has one process, a lost update with two.

An asyncio.Lock around read, compare and write is no guard in a deployment of several workers.
"""

import asyncio

from agentkeep import Conflict
from agentkeep.records import Scope, SessionChanges, SessionRecord
from over_wire import OverWire
from wire.repositories import WireSessions

FAMILY = "processes"
CLAUSE = "SES-2"

_locks: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}


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
        async with _locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            found = await self.get(scope, session_id)
            if expected_version not in (None, found.version):
                raise Conflict("version", "the session's version", expected=expected_version, actual=found.version)
            await asyncio.sleep(0.002)  # on one idle machine the gap is too short to be met each time
            return await super().update(scope, session_id, changes, add=add, expected_version=None)


class TestFault(OverWire):
    sessions = Sessions
