"""Appends that wait share an exchange, and the error of one is everybody's.

A batch of a queue that is rolled back whole: `gather` without `return_exceptions` around the callers of a bulk write.
"""

import asyncio
from collections.abc import Sequence

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep.spi.together import Sending, Together
from agentkeep_memory.client import Client
from agentkeep_memory.messages import MemoryMessages
from over import OverMemory

FAMILY = "several_callers"
CLAUSE = "ERR-2"


class Messages(MemoryMessages):
    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._together: Together[tuple[Scope, Append], AppendedRecord | Exception] = Together(
            send_one=self._send_one,
            send_many=self._send_many,
            key=lambda call: call[1].session_id,
            size=lambda call: 1,
            seconds=60,
        )

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        found = await self._together.run((scope, append))
        if isinstance(found, Exception):
            raise found
        return found

    async def _send_one(self, call: tuple[Scope, Append], sending: Sending) -> AppendedRecord | Exception:
        return (await self._send_many([call], sending))[0]

    async def _send_many(
        self, calls: Sequence[tuple[Scope, Append]], sending: Sending
    ) -> list[AppendedRecord | Exception]:
        await asyncio.sleep(0)
        done: list[AppendedRecord | Exception] = []
        for call in calls:
            try:
                done.append(await super().append(*call))
            except Exception as error:
                return [error] * len(calls)
        return done


class TestFault(OverMemory):
    messages = Messages
