"""A redacted message leaves the filled search index, and its new text does not come into it."""

from over_sqlite import OverSQLite, state

FAMILY = "erasure_of_indexed"
CLAUSE = "SRCH-1"

state("reindex_one", "UPDATE {prefix}upkeep SET indexed_to = indexed_to WHERE :message < 0")


class TestFault(OverSQLite):
    pass
