"""A fork reads its parent and copies it later: a session that was made anew between is copied at the old seq.

Issue 10: 3 of 38 forks under races.
"""

import asyncio

from agentkeep import InvalidInput, SessionNotFound
from agentkeep.records import Fork, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "forks"
CLAUSE = "SES-5"


class Sessions(MemorySessions):
    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        last_seq = (await self.get(scope, fork.session_id)).last_seq
        await asyncio.sleep(0)
        try:
            return await super().fork(scope, replace(fork, at_seq=last_seq if fork.at_seq is None else fork.at_seq))
        except InvalidInput:
            if fork.at_seq is not None:
                raise
            raise SessionNotFound(fork.session_id) from None


class TestFault(OverMemory):
    sessions = Sessions
