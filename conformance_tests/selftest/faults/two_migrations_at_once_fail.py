"""Of several instances that open one database at once, one migrates it and the others fail.

google/adk-python#1561, mastra#16782: create_all() in every replica.
"""

from agentkeep.errors import Unavailable
from agentkeep_sqlite import SQLiteAdapter
from over_corpus import OverCorpus

FAMILY = "upgrade"
CLAUSE = "LIFE-1"

_migrating: set[object] = set()


class Adapter(SQLiteAdapter):
    async def open(self) -> None:
        if _migrating:
            raise Unavailable("another instance is migrating")
        _migrating.add(self)
        try:
            await super().open()
        finally:
            _migrating.discard(self)


class TestFault(OverCorpus):
    adapter = Adapter
