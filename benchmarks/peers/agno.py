"""Agno: an agent with `AsyncSqliteDb`, `AsyncPostgresDb` or `RedisDb`, and a model that answers at once.

An append is a run: it stores the messages and a reply. The reply is not counted as a message here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agno.agent import Agent
from agno.db.postgres import AsyncPostgresDb
from agno.db.redis import RedisDb
from agno.db.sqlite import AsyncSqliteDb
from agno.models.base import Model
from agno.models.message import Message
from agno.models.response import ModelResponse
from candidate import USER


class Silent(Model):
    """Answers each prompt with one letter."""

    def invoke(self, *args: Any, **kwargs: Any) -> ModelResponse:
        return ModelResponse(role="assistant", content="k")

    async def ainvoke(self, *args: Any, **kwargs: Any) -> ModelResponse:
        return ModelResponse(role="assistant", content="k")

    def invoke_stream(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def ainvoke_stream(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def _parse_provider_response(self, response: Any, **kwargs: Any) -> ModelResponse:
        raise NotImplementedError

    def _parse_provider_response_delta(self, response: Any) -> ModelResponse:
        raise NotImplementedError


class Agno:
    def __init__(self, backend: str, url: str, namespace: str) -> None:
        if backend == "sqlite":
            db: Any = AsyncSqliteDb(db_file=f"{url}/{namespace}.db")
        elif backend == "redis":
            db = RedisDb(db_url=url, db_prefix=namespace)
        else:
            db = AsyncPostgresDb(db_url=url.replace("postgresql://", "postgresql+asyncpg://"), db_schema=namespace)
        self._agent = Agent(model=Silent(id="silent"), db=db, telemetry=False)

    async def open(self) -> None:
        """The agent connects by itself."""

    async def close(self) -> None:
        """An agent has no close."""

    async def create(self, session: str) -> None:
        """A session begins with its first run."""

    async def append(self, session: str, texts: Sequence[str]) -> None:
        messages = [Message(role="user", content=text) for text in texts]
        await self._agent.arun(messages, session_id=session, user_id=USER)

    async def newest(self, session: str, limit: int) -> list[str]:
        """All are read, because a limit would count replies too."""
        found = await self._agent.aget_session_messages(session_id=session, skip_roles=["assistant", "system"])
        return [message.content for message in found][-limit:]

    async def listing(self) -> int:
        raise NotImplementedError("its listing reads each session's runs")


def make(backend: str, url: str, namespace: str) -> Agno:
    return Agno(backend, url, namespace)
