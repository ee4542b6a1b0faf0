"""A wrapper that delegates everything."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from agentkeep.capabilities import Capabilities
from agentkeep.models import Health
from agentkeep.protocol import MessageRepository, PersistenceAdapter, SessionRepository
from agentkeep.records import Scope
from agentkeep.wrappers._repositories import MessagesWrapper, SessionsWrapper

Ability = TypeVar("Ability")


class Wrapper:
    """An adapter that hands each call to the adapter `inner`. A subclass overrides what it wants to do otherwise.

    Verbs of sessions and messages are methods of the repositories: subclass `SessionsWrapper` or `MessagesWrapper`, and
    name the subclass in `sessions_wrapper` or `messages_wrapper`. `Wrapper` itself takes one argument, so that a
    subclass can be given to `connect(url, wrap=[...])`.
    """

    sessions_wrapper: ClassVar[type[SessionsWrapper]] = SessionsWrapper
    messages_wrapper: ClassVar[type[MessagesWrapper]] = MessagesWrapper

    def __init__(self, inner: PersistenceAdapter) -> None:
        self.inner = inner
        self._sessions = self.sessions_wrapper(self)
        self._messages = self.messages_wrapper(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r})"

    @property
    def name(self) -> str:
        """The name of the database's adapter, whatever is around it."""
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    @property
    def sessions(self) -> SessionRepository:
        return self._sessions

    @property
    def messages(self) -> MessageRepository:
        return self._messages

    async def open(self) -> None:
        await self.inner.open()

    async def close(self) -> None:
        await self.inner.close()

    async def health(self) -> Health:
        return await self.inner.health()

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        return await self.inner.sweep(scope, limit=limit)


def find_ability(adapter: PersistenceAdapter, ability: type[Ability]) -> Ability | None:
    """The outermost of an adapter and the adapters in it that has an optional ability, such as `SupportsMigrations`.

    A wrapper has its adapter in the attribute `inner`.
    """
    found: object = adapter
    while found is not None:
        if isinstance(found, ability):
            return found
        found = getattr(found, "inner", None)
    return None
