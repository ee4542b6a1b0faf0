"""A metadata filter compares the texts of two values: 1 is "1", True is "true".

trueforge PR#591, mastra PR#16376: three backends, three equalities.
"""

from typing import Any

from agentkeep import _labels as labels
from over import OverMemory, plant

FAMILY = "reading"
CLAUSE = "READ-5"


def label(key: str, value: Any) -> str:
    return f"{key}={str(value).casefold()}"[:128]


plant(labels, "_label", label)


class TestFault(OverMemory):
    pass
