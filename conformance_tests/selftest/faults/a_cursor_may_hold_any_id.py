"""A cursor that somebody changed goes to the database with whatever stands in the place of its id."""

from agentkeep import _cursors as cursors
from over import OverMemory, plant

FAMILY = "bound_cursors"
CLAUSE = "READ-2"


def check_id(value: object, what: str) -> object:
    """Checks nothing."""
    return value


plant(cursors, "check_id", check_id)


class TestFault(OverMemory):
    pass
