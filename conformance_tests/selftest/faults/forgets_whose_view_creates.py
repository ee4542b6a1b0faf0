"""A session created through a user's view belongs to nobody.

adk: the user of the request was not passed on.
"""

from agentkeep import drafts
from agentkeep.records import Scope
from over import OverMemory, plant

FAMILY = "isolation"
CLAUSE = "ISO-1"


def own_user(scope: Scope, user_id: str | None) -> str | None:
    return user_id


plant(drafts, "_own_user", own_user)


class TestFault(OverMemory):
    pass
