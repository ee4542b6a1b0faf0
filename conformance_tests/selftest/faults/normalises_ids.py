"""Message ids are kept in Unicode's composed form: two spellings are one id.

File names, and databases with a normalising collation.
"""

from unicodedata import normalize

from agentkeep.records import Append, AppendedRecord, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "isolation"
CLAUSE = "ISO-2"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        drafts = [replace(draft, id=normalize("NFC", draft.id)) for draft in append.messages]
        return await super().append(scope, replace(append, messages=drafts))

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        return await super().get(scope, session_id, normalize("NFC", message_id))


class TestFault(OverMemory):
    messages = Messages
