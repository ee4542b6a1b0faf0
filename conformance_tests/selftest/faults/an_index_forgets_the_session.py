"""A search within a long session asks the index alone, which holds the messages of all sessions."""

from typing import ClassVar

from agentkeep_sqlite.statements import load_statements
from over_sqlite import OverSQLite, state

FAMILY = "indexed_words"
CLAUSE = "SRCH-1"

_OWN = "(:session_id IS NULL OR s.id = :session_id)"
_PREFIX = "agentkeep_"

state("search_index", load_statements(_PREFIX)["search_index"].replace(_OWN, "true").replace(_PREFIX, "{prefix}"))


class TestFault(OverSQLite):
    small_steps: ClassVar[dict[str, int]] = {
        "agentkeep_sqlite.search.INDEX_STEP": 1,
        "agentkeep_sqlite.search._FEW": 1,
        "agentkeep_sqlite.search._FEW_SESSIONS": 1,
    }
