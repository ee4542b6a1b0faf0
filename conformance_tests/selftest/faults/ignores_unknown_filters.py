"""A filter that nobody knows is left out: a misspelt one selects everything.

langgraph-js PR#2504: unknown filter keys were dropped.
"""

from typing import Any

from agentkeep import _drafts as drafts
from over import OverMemory, plant

FAMILY = "reading"
CLAUSE = "READ-5"


def only_known(given: Any, known: Any, what: str) -> None:
    """Knows everything."""


plant(drafts, "only_known", only_known)


class TestFault(OverMemory):
    pass
