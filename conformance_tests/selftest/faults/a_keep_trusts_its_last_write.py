"""A keep that wrote to a session last compares what a caller expects with what it remembers of that write.

A cache of heads that no compare-and-swap guards.
"""

from typing import Any

from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep_memory.messages import MemoryMessages
from msgspec.structs import replace
from over import OverMemory

FAMILY = "known_sessions"
CLAUSE = "ORD-4"


class Messages(MemoryMessages):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._last: dict[tuple[str, str], int] = {}

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        key = (scope.tenant, append.session_id)
        if append.expected_last_seq is not None and append.expected_last_seq == self._last.get(key):
            append = replace(append, expected_last_seq=None)
        result = await super().append(scope, append)
        self._last[key] = result.last_seq
        return result


class TestFault(OverMemory):
    messages = Messages
