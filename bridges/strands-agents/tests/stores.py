"""One agent's messages of Strands, in Agentkeep and in Strands' own files (see `bridges/faults.py`).

Strands numbers messages itself: each writer continues after the newest that it reads.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from agentkeep import sync
from agentkeep_strands_agents import AgentkeepSessionRepository
from strands.session import FileSessionManager
from strands.session.session_repository import SessionRepository
from strands.types.exceptions import SessionException
from strands.types.session import Session, SessionAgent, SessionMessage, SessionType


class Messages:
    def __init__(self, repository: SessionRepository, keep: Any = None) -> None:
        self.repository, self.keep = repository, keep
        if repository.read_session("shared") is None:
            with contextlib.suppress(SessionException):
                repository.create_session(Session("shared", SessionType.AGENT))
        if repository.read_agent("shared", "a") is None:
            with contextlib.suppress(SessionException):
                repository.create_agent("shared", SessionAgent("a", {}, {}))

    async def add(self, text: str) -> None:
        for attempt in range(50):
            number = len(self.repository.list_messages("shared", "a"))
            message = SessionMessage.from_message({"role": "user", "content": [{"text": text}]}, number)
            try:
                self.repository.create_message("shared", "a", message)
            except SessionException:  # another writer's message has that number
                await asyncio.sleep(0.001 * attempt)
            else:
                return
        raise SessionException("50 times")

    async def texts(self) -> list[str]:
        return [found.message["content"][0].get("text", "") for found in self.repository.list_messages("shared", "a")]

    async def close(self) -> None:
        if self.keep is not None:
            self.keep.close()


async def agentkeep(url: str) -> Messages:
    keep = sync.connect(url)
    keep.open()
    return Messages(AgentkeepSessionRepository(keep), keep)


async def own(path: str) -> Messages:
    return Messages(FileSessionManager("shared", storage_dir=path))
