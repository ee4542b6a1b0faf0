"""The session that an append makes is stored first: if the append is refused, it stays.

Every bridge before `create`: append, SessionNotFound, get_or_create, append.
"""

from agentkeep.records import Append, AppendedRecord, Scope, new_session
from agentkeep_memory.messages import MemoryMessages
from agentkeep_memory.rows import Entry
from msgspec.structs import replace
from over import OverMemory

FAMILY = "creating"
CLAUSE = "SES-7"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        if append.create is not None and self._client.find_any(scope, append.session_id, self._client.now()) is None:
            self._client.put(
                scope, Entry(new_session(append.create, self._client.now()), frozenset(append.create.labels))
            )
            expected = None if append.expected_version == 0 else append.expected_version
            return await super().append(scope, replace(append, expected_version=expected))
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
