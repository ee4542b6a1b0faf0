"""Agentkeep, as its README shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import agentkeep
from agentkeep import NewMessage
from candidate import LISTED, USER

NAMESPACES = {"postgres": "schema"}
"""The option that names an adapter's part of a server; most call it `prefix`."""


class Agentkeep:
    def __init__(self, url: str, **options: Any) -> None:
        self.keep = agentkeep.connect(url, **options)

    async def open(self) -> None:
        await self.keep.open()

    async def close(self) -> None:
        await self.keep.close()

    async def create(self, session: str) -> None:
        await self.keep.sessions.create(session, user_id=USER)

    async def append(self, session: str, texts: Sequence[str]) -> None:
        await self.keep.messages.append(session, [NewMessage(role="user", content=text) for text in texts])

    async def newest(self, session: str, limit: int) -> list[str]:
        return [cast("str", message.content) for message in await self.keep.messages.tail(session, limit)]

    async def resume(self, session: str, limit: int) -> list[str]:
        _, messages = await self.keep.sessions.resume(session, tail=limit)
        return [cast("str", message.content) for message in messages]

    async def listing(self) -> int:
        return len((await self.keep.sessions.list(user_id=USER, limit=LISTED)).items)


def make(backend: str, url: str, namespace: str) -> Agentkeep:
    if backend == "sqlite":
        return Agentkeep(f"sqlite:///{url}/{namespace}.db")
    return Agentkeep(url, **{NAMESPACES.get(backend, "prefix"): namespace})
