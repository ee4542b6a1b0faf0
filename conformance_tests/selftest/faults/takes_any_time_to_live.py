"""A time to live of nothing or less is taken for none: the session lives for ever.

Redis's EXPIRE 0 deletes, memcached's 0 is for ever.
"""

from datetime import timedelta

from agentkeep import _drafts as drafts
from agentkeep import sessions
from over import OverMemory, plant

FAMILY = "ttl"
CLAUSE = "TTL-1"


def check_duration(value: object, what: str) -> timedelta | None:
    positive = isinstance(value, timedelta) and timedelta(0) < value < timedelta(days=36_500)
    return value if positive and isinstance(value, timedelta) else None


plant(drafts, "check_duration", check_duration)
plant(sessions, "check_duration", check_duration)


class TestFault(OverMemory):
    pass
