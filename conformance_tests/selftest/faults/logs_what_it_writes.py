"""Each appended message is written to the log, text and all.

SQLAlchemy's echo, left on; PII in every log store.
"""

import logging

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "errors"
CLAUSE = "ERR-3"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:

        logging.getLogger("agentkeep_memory").debug("append %s", append)
        return await super().append(scope, append)


class TestFault(OverMemory):
    messages = Messages
