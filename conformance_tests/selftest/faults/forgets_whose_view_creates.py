"""A session created through a user's view belongs to nobody.

The request's user, not passed on to the one call that needs it.
"""

from agentkeep import _drafts as drafts
from agentkeep.records import Scope
from over import OverMemory, plant

FAMILY = "isolation"
CLAUSE = "ISO-1"


def own_user(scope: Scope, user_id: str | None) -> str | None:
    return user_id


plant(drafts, "_own_user", own_user)


class TestFault(OverMemory):
    pass
