"""Calls are answered before `open` and after `close`, by whatever is there.

n8n's memory node went on with a pool that another node had ended (n8n#12653).
"""

from agentkeep._adapter_state import AdapterState
from over import OverMemory, plant

FAMILY = "lifecycle"
CLAUSE = "LIFE-2"


def require_open(shared: AdapterState) -> None:
    """Asks for nothing."""


plant(AdapterState, "require_open", require_open)


class TestFault(OverMemory):
    pass
