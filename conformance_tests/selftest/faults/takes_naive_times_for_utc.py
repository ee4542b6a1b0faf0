"""A naive time is taken for UTC.

google/adk-python#4366, #1848: naive and aware times mixed, wrong by the host's offset.
"""

from datetime import UTC, datetime
from typing import Any

from agentkeep import _drafts as drafts
from agentkeep import _validation as validation
from over import OverMemory, plant

FAMILY = "fidelity"
CLAUSE = "FID-3"

_check_time: Any = validation.check_time


def check_time(value: object, what: str) -> datetime | None:
    if isinstance(value, datetime) and value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return _check_time(value, what)


plant(drafts, "check_time", check_time)


class TestFault(OverMemory):
    pass
