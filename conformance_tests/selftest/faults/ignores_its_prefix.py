"""The prefix is taken and not looked at: all share one database.

py-key-value: a store that ignores its collection passes all 67 tests of its suite.
"""

from typing import Any

from agentkeep import PersistenceAdapter
from over import OverMemory

FAMILY = "prefixes"
CLAUSE = "ISO-3"


class TestFault(OverMemory):
    def open(self, dsn: str, namespace: str, **options: Any) -> PersistenceAdapter:
        return super().open(dsn, "", **options)
