"""Generated ids are not fresh: they repeat.

strands sdk-typescript#729: agents with the default id overwrote each other's sessions.
"""

from agentkeep import _drafts as drafts
from agentkeep import sessions
from over import OverMemory, plant

FAMILY = "sessions"
CLAUSE = "SES-1"


def fresh_id() -> str:
    return "7" * 32


plant(drafts, "fresh_id", fresh_id)
plant(sessions, "fresh_id", fresh_id)


class TestFault(OverMemory):
    pass
