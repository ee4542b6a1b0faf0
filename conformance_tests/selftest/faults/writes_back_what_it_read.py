"""An update reads the session, changes a field and writes all fields back: another's field of the same moment is lost.

agno#7479 "upsert_session overwrites entire JSONB", agno#9450, mastra#17298.
"""

import asyncio

from agentkeep._labels import stored_labels
from agentkeep.records import Scope, SessionChanges, SessionRecord
from msgspec import json
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
        read = await self.get(scope, session_id)
        await asyncio.sleep(0.005)  # on one idle machine the gap is too short to be met each time
        whole: SessionChanges = {
            "title": read.title,
            "current_route": read.current_route,
            "state": read.state,
            "metadata": read.metadata,
            "labels": stored_labels(json.decode(read.metadata)),
        }
        return await super().update(scope, session_id, whole | changes, expected_version=expected_version)


class TestFault(OverWire):
    sessions = Sessions
