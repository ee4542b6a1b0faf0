"""A limit outside 1 to 1,000 is moved to the nearest bound instead of refused.

ai-memory-mcp#1877: a caller of 5,000 gets 1,000 and takes it for all.
"""

from agentkeep import messages, sessions
from over import OverMemory, plant

FAMILY = "order_paging"
CLAUSE = "READ-1"


def check_limit(value: object, what: str = "limit") -> int:
    return max(1, min(1_000, value)) if isinstance(value, int) else 50


plant(messages, "check_limit", check_limit)
plant(sessions, "check_limit", check_limit)


class TestFault(OverMemory):
    pass
