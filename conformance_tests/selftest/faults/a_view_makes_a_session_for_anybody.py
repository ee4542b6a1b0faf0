"""A user's view makes a session for whichever user the call names.

The check stood in the web layer.
"""

from agentkeep import _drafts
from agentkeep.records import Scope
from over import OverMemory, plant

FAMILY = "views"
CLAUSE = "ISO-1"


def own_user(scope: Scope, user_id: str | None) -> str | None:
    return user_id or scope.user_id


plant(_drafts, "_own_user", own_user)


class TestFault(OverMemory):
    pass
