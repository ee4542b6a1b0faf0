"""A negative seq, and a number that is none, are taken as they come.

Slices and SQL, where -1 means something else each time.
"""

from typing import Any

from agentkeep import messages
from over import OverMemory, plant

FAMILY = "errors"
CLAUSE = "ERR-1"


def check_count(value: Any, what: str, **bounds: Any) -> int:
    return value if isinstance(value, int) else 0


plant(messages, "check_count", check_count)


class TestFault(OverMemory):
    pass
