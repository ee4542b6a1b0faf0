"""A time to live that is no duration, or not a positive one, is taken as none.

An option that is only looked at if it is true.
"""

from datetime import timedelta

from agentkeep import _drafts, _validation
from agentkeep.errors import InvalidInput
from over import OverMemory, plant

FAMILY = "expiry"
CLAUSE = "TTL-3"


checked = _validation.check_duration


def check_duration(value: object, what: str) -> timedelta | None:
    try:
        return checked(value, what)
    except InvalidInput:
        return None


plant(_drafts, "check_duration", check_duration)


class TestFault(OverMemory):
    pass
