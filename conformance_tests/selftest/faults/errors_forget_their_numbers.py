"""An error pickles by its message alone.

What `Exception` does if `__init__` takes more than it hands on: the copy in another process can't be made.
"""

from typing import Any

from agentkeep import PersistenceError
from over import OverMemory, plant

FAMILY = "error_values"
CLAUSE = "ERR-5"


def reduce(error: PersistenceError) -> tuple[Any, ...]:
    return PersistenceError, (str(error),)


plant(PersistenceError, "__reduce__", reduce)


class TestFault(OverMemory):
    pass
