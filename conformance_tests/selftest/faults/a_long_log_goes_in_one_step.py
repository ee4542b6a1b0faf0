"""Of a long session only the first thousand messages are removed.

The loop over the steps was in the verb for one session, and the others did not have it.
"""

from agentkeep_memory.client import Client
from over import OverMemory, beside, plant

FAMILY = "erasure_of_long"
CLAUSE = "SES-6"


removed = Client.remove


def remove(self: Client, tenant: str, session_id: str) -> None:
    entry = self.database.entries[tenant, session_id]
    beside(self.database)[tenant, session_id] = entry.log[1_000:]
    removed(self, tenant, session_id)


plant(Client, "remove", remove)


class TestFault(OverMemory):
    pass
