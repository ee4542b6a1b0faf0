"""A pytest plugin: the SDK's own session tests run on Agentkeep's session in place of the SDK's.

`SQLiteSession` in a test's module becomes a session over a keep, one keep for each database path; the suite's
`SimpleListSession` keeps its items in a keep too. `AGENTKEEP_UPSTREAM_URL` says in which database.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, cast
from uuid import uuid4

import pytest
from agentkeep import Keep, connect
from agentkeep_openai_agents import AgentkeepSession
from tests.utils.simple_session import SimpleListSession

URL = os.environ.get("AGENTKEEP_UPSTREAM_URL", "memory://")
NOT_OURS = {
    "connection": "reads or patches the SQLite connection, its locks or its tables",
    "json": "wants json's TypeError: Agentkeep keeps the value as text",
}


class Keeps:
    """One open keep for all; a tenant for each database path of a test."""

    def __init__(self) -> None:
        self.keep: Keep = connect(URL, own_loop=True)
        self.tenants: dict[str, str] = {}

    def session(self, session_id: str, db_path: Any = ":memory:", *_: Any, **options: Any) -> AgentkeepSession:
        name = uuid4().hex if str(db_path) == ":memory:" else str(db_path)
        tenant = self.tenants.setdefault(name, uuid4().hex)
        return ClosingSession(
            session_id, self.keep.for_tenant(tenant), session_settings=options.get("session_settings")
        )


class ClosingSession(AgentkeepSession):
    def close(self) -> None:
        """The SDK's tests close a session's file; the keep stays open for the others."""


@pytest.fixture(scope="session")
def keeps() -> Iterator[Keeps]:
    import asyncio

    keeps = Keeps()
    asyncio.run(keeps.keep.open())
    yield keeps
    asyncio.run(keeps.keep.close())


@pytest.fixture(autouse=True)
def on_agentkeep(keeps: Keeps, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    module = cast("Any", request).module  # pytest says no type
    if hasattr(module, "SQLiteSession"):
        monkeypatch.setattr(module, "SQLiteSession", keeps.session)
    for name in ("get_items", "add_items", "pop_item", "clear_session"):
        monkeypatch.setattr(SimpleListSession, name, _through(keeps, name))


def _through(keeps: Keeps, name: str) -> Any:
    async def call(self: Any, *arguments: Any, **options: Any) -> Any:
        stored = self.__dict__.get("_stored")
        if stored is None:
            stored = self._stored = keeps.session(self.session_id)
            await stored.add_items(list(self._items))
        result = await getattr(stored, name)(*arguments, **options)
        self._items[:] = await stored.get_items()
        return result

    return call
