"""`delete_many` without a filter deletes everything.

scale-agentex PR#411: an empty filter went past the check.
"""

from agentkeep import sessions
from agentkeep.records import SessionQuery
from over import OverMemory, plant

FAMILY = "sessions"
CLAUSE = "ISO-1"


class NoQuery(SessionQuery, frozen=True, kw_only=True):
    """Equal to no query, so that none is seen to be empty."""


plant(sessions, "SessionQuery", NoQuery)


class TestFault(OverMemory):
    pass
