"""A tenant's view gives a view of any other tenant.

Tenant ids taken from the request, below the check.
"""

from agentkeep import Keep
from agentkeep.records import Scope
from over import OverMemory, plant

FAMILY = "isolation"
CLAUSE = "ISO-1"


def for_tenant(keep: Keep, tenant: str) -> Keep:
    return Keep.__dict__["_view"](keep, Scope(tenant))


plant(Keep, "for_tenant", for_tenant)


class TestFault(OverMemory):
    pass
