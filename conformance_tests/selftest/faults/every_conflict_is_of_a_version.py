"""Each conflict calls itself one of the version.

The first edition's conflicts had no kind: a caller could not tell a stale writer from a reused id.
"""

from typing import Any

from agentkeep import Conflict
from over import OverMemory, plant

FAMILY = "error_values"
CLAUSE = "ERR-5"


init = Conflict.__init__


def as_version(self: Conflict, kind: str, what: str, **values: Any) -> None:
    init(self, "version", what, **values)


plant(Conflict, "__init__", as_version)


class TestFault(OverMemory):
    pass
