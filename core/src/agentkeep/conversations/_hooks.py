"""What an agent's author may run around the loads and writes of a conversation."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from agentkeep.errors import Conflict
from agentkeep.models import Appended, NewMessage, Session

if TYPE_CHECKING:
    from agentkeep.conversations._conversation import Conversation


class Hooks:
    """Each method does nothing: override those that you need, and give an object of the subclass to the manager.

    An exception from `before_…` refuses what comes after it: nothing is read or written, and the caller gets the
    exception. An exception from `after_…` reaches the caller too, but then the write has landed.
    With several objects, each event calls all of them, in the order in which the manager has them.
    """

    async def before_load(self, session_id: str) -> None:
        """Before a session is read."""

    async def after_load(self, session: Session) -> None:
        """After a session was read, and migrated if that was necessary."""

    async def before_append(self, conversation: Conversation, messages: Sequence[NewMessage]) -> None:
        """Before messages are stored, with those messages."""

    async def after_append(self, conversation: Conversation, appended: Appended) -> None:
        """After messages were stored."""

    async def before_save(self, conversation: Conversation, data: dict[str, Any]) -> None:
        """Before the session's data is stored, with all of the data as it will be. The dict is a copy."""

    async def after_save(self, conversation: Conversation, session: Session) -> None:
        """After the session's data was stored."""

    async def on_conflict(self, conversation: Conversation, conflict: Conflict) -> None:
        """After a write was refused because somebody else wrote first, before it is tried again or given up."""


@runtime_checkable
class _Model(Protocol):
    """A class of pydantic."""

    def model_validate(self, obj: Any, /) -> Any: ...


class ValidateData(Hooks):
    """Refuses data that a pydantic model, or a callable (sync or async), raises an exception for."""

    def __init__(self, check: type[Any] | Callable[[dict[str, Any]], object]) -> None:
        """`check`: a pydantic model class, or a callable that takes the data. What it returns is not used."""
        self._check: Callable[[dict[str, Any]], object] = check.model_validate if isinstance(check, _Model) else check

    async def before_save(self, conversation: Conversation, data: dict[str, Any]) -> None:
        result = self._check(data)
        if inspect.isawaitable(result):
            await cast("Awaitable[object]", result)
