"""`get` of an absent session makes an empty one and returns it.

omnigent#3402: an absent row was read as an empty one, and then saved.
"""

from agentkeep.errors import SessionNotFound
from agentkeep.records import Scope, SessionDraft, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from over import OverMemory

FAMILY = "sessions"
CLAUSE = "ERR-1"


class Sessions(MemorySessions):
    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        if (scope.tenant, session_id) in self._client.database.entries or scope.user_id is not None:
            return await super().get(scope, session_id)
        if scope.tenant != "default":
            raise SessionNotFound(session_id)
        draft = SessionDraft(
            id=session_id,
            user_id=None,
            agent_name=None,
            title=None,
            state="{}",
            metadata="{}",
            labels=(),
            parent_id=None,
            schema_version=None,
            ttl=None,
            idle_ttl=None,
            version=1,
        )
        return await self.create(scope, draft)


class TestFault(OverMemory):
    sessions = Sessions
