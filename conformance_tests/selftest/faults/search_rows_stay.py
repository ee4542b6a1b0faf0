"""Removed messages stay in the search index: their rows go, the index's do not.

langgraph-redis PR#203, LibreChat: what was deleted lives on in the index beside it.
"""

from over_sqlite import OverSQLite, state

FAMILY = "erasure_of_indexed"
CLAUSE = "SES-6"

state("unindex", "DELETE FROM {prefix}search WHERE rowid < 0 AND :key + :after + :before > 0")


class TestFault(OverSQLite):
    pass
