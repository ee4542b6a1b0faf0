"""Through a wrapper `delete` removes a session whatever its version is.

The argument came later than the wrapper.
"""

from agentkeep.records import Scope
from agentkeep.wrappers import SessionsWrapper
from over import OverMemory, plant

FAMILY = "handing_on"
CLAUSE = "WRAP-1"


async def delete(self: SessionsWrapper, scope: Scope, session_id: str, *, expected_version: int | None = None) -> bool:
    return await self.inner.delete(scope, session_id)


plant(SessionsWrapper, "delete", delete)


class TestFault(OverMemory):
    pass
