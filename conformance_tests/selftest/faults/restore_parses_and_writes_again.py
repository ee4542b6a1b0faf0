"""A restored message's JSON is parsed and written again: floats and the order of keys are another parser's.

inflexa PR#280.
"""

import json
from collections.abc import Sequence

from agentkeep.records import RestoredMessage, Scope, SessionRecord
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace
from over import OverMemory

FAMILY = "archive"
CLAUSE = "FID-1"


class Sessions(MemorySessions):
    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[RestoredMessage]
    ) -> None:

        again = [replace(each, payload=json.dumps(json.loads(each.payload), sort_keys=True)) for each in messages]
        await super().restore(scope, record, labels, again)


class TestFault(OverMemory):
    sessions = Sessions
