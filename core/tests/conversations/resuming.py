"""Calls `resume_latest` as often as it is told, at a given moment, in a process of its own; prints the ids."""

import asyncio
import sys
import time

import agentkeep
from agentkeep.conversations import SessionManager


async def main(url: str, user: str, tasks: int, moment: float) -> None:
    async with agentkeep.connect(url) as keep:
        manager = SessionManager(keep, agent_name="support")
        await asyncio.sleep(max(0.0, moment - time.time()))
        conversations = await asyncio.gather(*(manager.resume_latest(user) for _ in range(tasks)))
        print(*(conversation.id for conversation in conversations))


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
