"""Through a caller's engine a cancelled call ends at once, and its statement runs on over the engine's connection."""

import asyncio
from collections.abc import Callable
from typing import Any

from agentkeep_sqlite.engine import EngineClient
from over import plant
from over_sqlite import OverSQLite

FAMILY = "noise"
CLAUSE = "FLT-3"


async def run(client: EngineClient, call: Callable[[], Any]) -> Any:
    return await asyncio.shield(asyncio.ensure_future(call()))


plant(EngineClient, "_run", run)


class TestFault(OverSQLite):
    pass
