"""Generated ids are not fresh: they repeat.

strands sdk-typescript#729: agents with the default id overwrote each other's sessions.
"""

from uuid import UUID

from agentkeep import _drafts as drafts
from agentkeep import sessions
from over import OverMemory, plant

FAMILY = "sessions"
CLAUSE = "SES-1"


def uuid4() -> UUID:
    return UUID(int=7)


plant(drafts, "uuid4", uuid4)
plant(sessions, "uuid4", uuid4)


class TestFault(OverMemory):
    pass
