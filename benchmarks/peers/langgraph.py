"""LangGraph: a graph of one node with `AsyncSqliteSaver` or `AsyncPostgresSaver`; an append is an invocation."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from langchain_core.messages import HumanMessage
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool


class LangGraph:
    def __init__(self, backend: str, url: str, namespace: str) -> None:
        self._backend, self._url, self._namespace = backend, url, namespace
        self._opened = AsyncExitStack()

    async def open(self) -> None:
        graph = StateGraph(MessagesState)
        graph.add_node("answer", lambda state: {"messages": []})
        graph.add_edge(START, "answer")
        graph.add_edge("answer", END)
        self._graph = graph.compile(checkpointer=await self._saver())

    async def _saver(self) -> Any:
        if self._backend == "sqlite":
            path = f"{self._url}/{self._namespace}.db"
            return await self._opened.enter_async_context(AsyncSqliteSaver.from_conn_string(path))
        settings = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
        settings["options"] = f"-c search_path={self._namespace}"
        pool = AsyncConnectionPool(self._url, max_size=10, open=False, kwargs=settings)
        saver = AsyncPostgresSaver(await self._opened.enter_async_context(pool))
        await saver.setup()
        return saver

    async def close(self) -> None:
        await self._opened.aclose()

    async def create(self, session: str) -> None:
        """A thread begins with its first invocation."""

    async def append(self, session: str, texts: Sequence[str]) -> None:
        messages = [HumanMessage(content=text) for text in texts]
        await self._graph.ainvoke({"messages": messages}, {"configurable": {"thread_id": session}})

    async def newest(self, session: str, limit: int) -> list[str]:
        """The whole state is read: a checkpoint has no parts."""
        state = await self._graph.aget_state({"configurable": {"thread_id": session}})
        return [message.content for message in state.values["messages"]][-limit:]

    async def listing(self) -> int:
        raise NotImplementedError("it lists checkpoints, and no verb lists a user's threads")


def make(backend: str, url: str, namespace: str) -> LangGraph:
    return LangGraph(backend, url, namespace)
