"""A prefix is cut at ten characters: two that begin alike are one.

PostgreSQL cuts identifiers at 63 bytes and says so in a notice that nobody reads.
"""

from typing import Any

from agentkeep import PersistenceAdapter
from over import OverMemory

FAMILY = "prefixes"
CLAUSE = "ISO-3"


class TestFault(OverMemory):
    def open(self, dsn: str, namespace: str, **options: Any) -> PersistenceAdapter:
        return super().open(dsn, namespace[:10], **options)
