"""An adapter around an adapter, of which a test replaces single verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from agentkeep import MessageRepository, PersistenceAdapter, SessionRepository
from agentkeep.wrappers import Wrapper


def layers_of(adapter: PersistenceAdapter) -> Iterator[PersistenceAdapter]:
    """The adapter, and from the outermost to the innermost what it wraps."""
    layer: PersistenceAdapter | None = adapter
    while layer is not None:
        yield layer
        layer = getattr(layer, "inner", None)


class Delegating(Wrapper):
    """Hands each call to `inner`. A verb `sessions_NAME` or `messages_NAME` of a subclass goes before inner's."""

    @property
    def sessions(self) -> SessionRepository:
        return cast("SessionRepository", _Repository(self, "sessions", lambda: self.inner.sessions))

    @property
    def messages(self) -> MessageRepository:
        return cast("MessageRepository", _Repository(self, "messages", lambda: self.inner.messages))


class _Repository:
    def __init__(self, adapter: PersistenceAdapter, name: str, inner: Callable[[], object]) -> None:
        self._adapter = adapter
        self._name = name
        self._inner = inner

    def __getattr__(self, verb: str) -> Any:
        own = getattr(self._adapter, f"{self._name}_{verb}", None)
        return getattr(self._inner(), verb) if own is None else own
