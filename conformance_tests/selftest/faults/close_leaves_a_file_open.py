"""A closed keep still has a connection of its own, and the database's file open.

A second connection for reads, which `close` does not know.
"""

from agentkeep_sqlite.short_reads import ShortReads
from over import plant
from over_sqlite import OverSQLite

FAMILY = "lifecycle"
CLAUSE = "LIFE-2"


def close(self: ShortReads) -> None:
    """Closes nothing."""


plant(ShortReads, "close", close)


class TestFault(OverSQLite):
    pass
