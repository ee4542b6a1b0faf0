"""The content under a stored id is compared as Python values: 1 is 1.0 and True, and the order of keys is nothing.

Every comparison after json.loads; jsonb's equality.
"""

import json

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "idempotency"
CLAUSE = "IDEM-1"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        entry = self._client.find_any(scope, append.session_id, self._client.now())
        by_id = entry.by_id if entry else {}
        same = [
            replace(draft, content_key=by_id[draft.id].content_key)
            if draft.id in by_id and json.loads(draft.payload) == json.loads(by_id[draft.id].payload)
            else draft
            for draft in append.messages
        ]
        return await super().append(scope, replace(append, messages=same))


class TestFault(OverMemory):
    messages = Messages
