"""Appends that wait for each other: what a process remembers of a session goes with its last caller."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from agentkeep import Keep, NewMessage
from agentkeep_mongo import MongoAdapter

pytestmark = pytest.mark.anyio


async def test_nothing_stays_in_memory_of_sessions_without_callers(dsn: str, prefix: str) -> None:
    adapter = MongoAdapter.from_url(dsn, prefix=prefix)
    async with Keep(adapter) as keep:
        names = [f"s{number % 3}" for number in range(30)]
        said = [NewMessage(role="user", content="Hi")]
        await asyncio.gather(*(keep.messages.append(name, said, create={}) for name in names))
        await asyncio.gather(*(keep.messages.append(name, said) for name in names))
        joining: Any = adapter.messages._joining  # pyright: ignore[reportPrivateUsage]
        assert joining._sessions == {}
