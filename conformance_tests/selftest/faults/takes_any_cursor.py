"""A cursor is taken by any query and any tenant: it goes on at its place in another listing.

Cursors that are a bare id or number.
"""

from agentkeep import _cursors as cursors
from over import OverMemory, plant

FAMILY = "order_paging"
CLAUSE = "READ-2"


def same_query(found: str, wanted: str) -> None:
    """Compares nothing."""


plant(cursors, "_same_query", same_query)


class TestFault(OverMemory):
    pass
