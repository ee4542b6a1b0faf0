"""Whether a keep is open is asked before the wait for another task that opens it, so the adapter is opened twice."""

import asyncio

from agentkeep import _adapter_state
from over import plant
from over_sqlite import OverSQLite

FAMILY = "lifecycle"
CLAUSE = "LIFE-2"


def changing(state: _adapter_state.AdapterState, loop: asyncio.AbstractEventLoop) -> asyncio.Lock:
    return asyncio.Lock()  # one that nobody else waits for


plant(_adapter_state.AdapterState, "_changing", changing)


class TestFault(OverSQLite):
    pass
