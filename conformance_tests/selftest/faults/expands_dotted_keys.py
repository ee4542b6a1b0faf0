"""A key `a.b` of the state is read as b inside a.

elasticsearch#35460, openeo-hub#90: dotted paths.
"""

from typing import Any

import msgspec
from agentkeep.records import Scope, SessionDraft, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "fidelity"
CLAUSE = "FID-1"


class Sessions(MemorySessions):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        state = msgspec.json.decode(draft.state, type=dict[str, Any])
        for key in [key for key in state if "." in key.strip(".")]:
            outer, inner = key.split(".", 1)
            state[outer] = {inner: state.pop(key)}
        return await super().create(scope, replace(draft, state=msgspec.json.encode(state).decode()), or_get=or_get)


class TestFault(OverMemory):
    sessions = Sessions
