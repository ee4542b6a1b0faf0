"""LangChain: `SQLChatMessageHistory` on SQLite, `PostgresChatMessageHistory` of langchain-postgres."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import psycopg
from langchain_community.chat_message_histories import SQLChatMessageHistory
from langchain_core.messages import HumanMessage
from langchain_postgres import PostgresChatMessageHistory
from sqlalchemy.ext.asyncio import create_async_engine

TABLE = "chat_history"


class LangChain:
    def __init__(self, backend: str, url: str, namespace: str) -> None:
        self._backend, self._url, self._namespace = backend, url, namespace
        self._sessions: dict[str, Any] = {}

    async def open(self) -> None:
        if self._backend == "sqlite":
            self._engine = create_async_engine(f"sqlite+aiosqlite:///{self._url}/{self._namespace}.db")
            return
        path = f"-c search_path={self._namespace}"
        self._connection = await psycopg.AsyncConnection.connect(self._url, options=path)
        await PostgresChatMessageHistory.acreate_tables(self._connection, TABLE)

    async def close(self) -> None:
        if self._backend == "sqlite":
            await self._engine.dispose()
        else:
            await self._connection.close()

    async def create(self, session: str) -> None:
        if self._backend == "sqlite":
            self._sessions[session] = SQLChatMessageHistory(session, connection=self._engine)
            return
        id = str(uuid.uuid5(uuid.NAMESPACE_URL, session))
        self._sessions[session] = PostgresChatMessageHistory(TABLE, id, async_connection=self._connection)

    async def append(self, session: str, texts: Sequence[str]) -> None:
        await self._sessions[session].aadd_messages([HumanMessage(content=text) for text in texts])

    async def newest(self, session: str, limit: int) -> list[str]:
        """All are read: a history has no limit."""
        return [message.content for message in await self._sessions[session].aget_messages()][-limit:]

    async def listing(self) -> int:
        raise NotImplementedError("a history knows its own session only")


def make(backend: str, url: str, namespace: str) -> LangChain:
    return LangChain(backend, url, namespace)
