"""An update of `state` is merged into the old one, key by key, so that no key ever goes.

google/adk-python PR#6236 merged state although the caller had set it.
"""

import msgspec
from agentkeep.records import Scope, SessionChanges, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "sessions"
CLAUSE = "SES-2"


class Sessions(MemorySessions):
    async def update(
        self,
        scope: Scope,
        session_id: str,
        changes: SessionChanges,
        *,
        add: dict[str, int] | None = None,
        expected_version: int | None = None,
    ) -> SessionRecord:
        if "state" in changes:
            old = msgspec.json.decode((await self.get(scope, session_id)).state, type=dict[str, object])
            new = msgspec.json.decode(changes["state"], type=dict[str, object])
            changes = changes | SessionChanges(state=msgspec.json.encode(old | new).decode())
        return await super().update(scope, session_id, changes, add=add, expected_version=expected_version)


class TestFault(OverMemory):
    sessions = Sessions
