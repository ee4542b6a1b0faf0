"""An adapter around an adapter, of which a test replaces single verbs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from agentkeep import Capabilities, Health, MessageRepository, PersistenceAdapter, SessionRepository
from agentkeep.records import Scope


class Delegating:
    """Hands each call to `inner`. A verb `sessions_NAME` or `messages_NAME` of a subclass goes before inner's."""

    def __init__(self, inner: PersistenceAdapter) -> None:
        self.inner = inner
        self.sessions = cast("SessionRepository", _Repository(self, "sessions", lambda: inner.sessions))
        self.messages = cast("MessageRepository", _Repository(self, "messages", lambda: inner.messages))

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    async def open(self) -> None:
        await self.inner.open()

    async def close(self) -> None:
        await self.inner.close()

    async def health(self) -> Health:
        return await self.inner.health()

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        return await self.inner.sweep(scope, limit=limit)


class _Repository:
    def __init__(self, adapter: Delegating, name: str, inner: Callable[[], object]) -> None:
        self._adapter = adapter
        self._name = name
        self._inner = inner

    def __getattr__(self, verb: str) -> Any:
        own = getattr(self._adapter, f"{self._name}_{verb}", None)
        return getattr(self._inner(), verb) if own is None else own
