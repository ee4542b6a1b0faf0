"""LlamaIndex: `Memory` over its SQL store, with a token limit that never moves a message out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.llms import ChatMessage
from llama_index.core.memory import Memory

URLS = {"sqlite": "sqlite+aiosqlite:///{url}/{namespace}.db", "postgres": "postgresql+asyncpg://{rest}"}
UNLIMITED = 10**9


class LlamaIndex:
    def __init__(self, backend: str, url: str, namespace: str) -> None:
        self._url = URLS[backend].format(url=url, namespace=namespace, rest=url.partition("://")[2])
        self._schema = namespace if backend == "postgres" else None
        self._sessions: dict[str, Any] = {}

    async def open(self) -> None:
        """Each memory connects by itself."""

    async def close(self) -> None:
        """A memory has no close."""

    async def create(self, session: str) -> None:
        self._sessions[session] = Memory.from_defaults(
            session_id=session,
            token_limit=UNLIMITED,
            table_name="memory",
            async_database_uri=self._url,
            db_schema=self._schema,
        )
        await self._sessions[session].aget_all()  # connects and makes the table, before writers come at once

    async def append(self, session: str, texts: Sequence[str]) -> None:
        await self._sessions[session].aput_messages([ChatMessage(role="user", content=text) for text in texts])

    async def newest(self, session: str, limit: int) -> list[str]:
        """All are read: the verb has no limit."""
        return [message.content for message in await self._sessions[session].aget_all()][-limit:]

    async def listing(self) -> int:
        raise NotImplementedError("a memory knows its own session only")


def make(backend: str, url: str, namespace: str) -> LlamaIndex:
    return LlamaIndex(backend, url, namespace)
