"""Closing a client of ours, also if its connections died and nobody said so."""

from __future__ import annotations

import asyncio

from agentkeep_mongo.concerns import Driver
from agentkeep_mongo.errors import DRIVER_ERRORS

_GOODBYE_SECONDS = 2.0


async def close_driver(driver: Driver) -> None:
    """Close it within a few seconds (FLT-5).

    pymongo 4.20 tells the server first which sessions and cursors have ended, and waits for each answer as long as it
    takes. It forgets both before it asks, so a further try has less to say, and the third nothing.
    """
    for _ in range(3):
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await driver.close()
        except TimeoutError:
            continue
        except DRIVER_ERRORS:
            pass
        return
