"""One transcript of the Claude Agent SDK in Agentkeep (see `bridges/faults.py`). Its own store is in memory alone."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import agentkeep as ak
from agentkeep_claude_agent import AgentkeepSessionStore

own = None
KEY: Any = {"project_key": "p", "session_id": "shared"}


class Entries:
    def __init__(self, keep: ak.Keep) -> None:
        self.keep = keep
        self.store = AgentkeepSessionStore(keep)

    async def add(self, text: str) -> None:
        await self.store.append(KEY, [{"type": "user", "uuid": str(uuid4()), "text": text}])  # type: ignore[typeddict-unknown-key]

    async def texts(self) -> list[str]:
        return [entry["text"] for entry in await self.store.load(KEY) or []]  # type: ignore[typeddict-item]

    async def close(self) -> None:
        await self.keep.close()


async def agentkeep(url: str) -> Entries:
    return Entries(await ak.connect(url).open())
