"""There is an error of ours that no list of them has.

A subclass added for one adapter.
"""

from agentkeep import PersistenceError, errors
from over import OverMemory

FAMILY = "error_values"
CLAUSE = "ERR-5"


class Odd(PersistenceError):
    pass


errors.Odd = Odd  # type: ignore[attr-defined]


class TestFault(OverMemory):
    pass
