"""OpenAI Agents SDK: its `SQLiteSession`, its `SQLAlchemySession` on PostgreSQL and its `RedisSession`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents import SQLiteSession
from agents.extensions.memory import RedisSession, SQLAlchemySession
from sqlalchemy.ext.asyncio import create_async_engine


class OpenAIAgents:
    def __init__(self, backend: str, url: str, namespace: str) -> None:
        self._backend, self._url, self._namespace = backend, url, namespace
        self._sessions: dict[str, Any] = {}
        self._engine: Any = None

    async def open(self) -> None:
        if self._backend == "postgres":
            url = self._url.replace("postgresql://", "postgresql+asyncpg://")
            settings = {"server_settings": {"search_path": self._namespace}}
            self._engine = create_async_engine(url, connect_args=settings)

    async def close(self) -> None:
        if self._engine is not None:
            await self._engine.dispose()

    async def create(self, session: str) -> None:
        self._sessions[session] = self._session(session)

    def _session(self, session: str) -> Any:
        if self._backend == "sqlite":
            return SQLiteSession(session, f"{self._url}/{self._namespace}.db")
        if self._backend == "redis":
            return RedisSession.from_url(session, url=self._url, key_prefix=self._namespace)
        return SQLAlchemySession(session, engine=self._engine, create_tables=True)

    async def append(self, session: str, texts: Sequence[str]) -> None:
        await self._sessions[session].add_items([{"role": "user", "content": text} for text in texts])

    async def newest(self, session: str, limit: int) -> list[str]:
        return [item["content"] for item in await self._sessions[session].get_items(limit)]

    async def listing(self) -> int:
        raise NotImplementedError("no verb lists sessions on each database")


def make(backend: str, url: str, namespace: str) -> OpenAIAgents:
    return OpenAIAgents(backend, url, namespace)
