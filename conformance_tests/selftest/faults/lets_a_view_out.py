"""A user's view returns a view of any other user.

User ids taken from the request, below the check.
"""

from agentkeep import View
from agentkeep.records import Scope
from over import OverMemory, plant

FAMILY = "isolation"
CLAUSE = "ISO-1"


def for_user(view: View, user_id: str) -> View:
    return View.__dict__["_view"](view, Scope(getattr(view, "_scope").tenant, user_id))  # noqa: B009


plant(View, "for_user", for_user)


class TestFault(OverMemory):
    pass
