"""A batch is stored message by message: others come between, and a reader sees half of it.

mastra PR#17351, langchain: one INSERT a message, each its own transaction.
"""

import asyncio

from agentkeep.records import Append, AppendedRecord, MessageRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "concurrency"
CLAUSE = "ORD-2"


class Messages(MemoryMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:

        plain = append.expected_last_seq is None and append.expected_version is None and append.changes is None
        if len(append.messages) < 2 or not plain or append.truncate_after is not None or append.keep_last is not None:
            return await super().append(scope, append)
        stored: list[MessageRecord] = []
        last = AppendedRecord([], 0, 0, 0)
        for draft in append.messages:
            last = await super().append(scope, replace(append, messages=[draft]))
            stored += last.messages
            await asyncio.sleep(0)
        return last._replace(messages=stored, new=len(stored))


class TestFault(OverMemory):
    messages = Messages
