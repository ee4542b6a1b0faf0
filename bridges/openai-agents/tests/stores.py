"""One session of the OpenAI Agents SDK, in Agentkeep and in the SDK's own SQLite file (see `bridges/faults.py`)."""

from __future__ import annotations

from typing import Any

import agentkeep as ak
from agentkeep_openai_agents import AgentkeepSession
from agents import SQLiteSession


class Items:
    def __init__(self, session: Any, keep: Any = None) -> None:
        self.session, self.keep = session, keep

    async def add(self, text: str) -> None:
        await self.session.add_items([{"role": "user", "content": text}])

    async def texts(self) -> list[str]:
        return [item["content"] for item in await self.session.get_items()]

    async def close(self) -> None:
        if self.keep is None:
            self.session.close()
        else:
            await self.keep.close()


async def agentkeep(url: str) -> Items:
    keep = await ak.connect(url).open()
    return Items(AgentkeepSession("shared-session", keep), keep)


async def own(path: str) -> Items:
    return Items(SQLiteSession("shared-session", path))
