"""Removing a session removes the labels of its namesakes in other tenants.

The tenant was missing in the DELETE of the second table.
"""

from agentkeep_memory.client import Client
from over import OverMemory, plant

FAMILY = "namesakes"
CLAUSE = "ISO-1"


removed = Client.remove


def remove(self: Client, tenant: str, session_id: str) -> None:
    removed(self, tenant, session_id)
    for (_, name), entry in self.database.entries.items():
        if name == session_id:
            entry.labels = frozenset()


plant(Client, "remove", remove)


class TestFault(OverMemory):
    pass
