"""Conversations without `await`; see `agentkeep.conversations` for what each verb does."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from types import EllipsisType, TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from agentkeep._blocking import Blocking, Runner, runs
from agentkeep.conversations import (
    Conversation,
    Hooks,
    MessageFields,
    Migrate,
    SessionManager,
    Turn,
)
from agentkeep.errors import Conflict
from agentkeep.models import Appended, Message, NewMessage, Session

if TYPE_CHECKING:
    from agentkeep.sync import SyncView

Result = TypeVar("Result")
_TRIES = 20


class SyncSessionManager(Blocking[SessionManager]):
    """`agentkeep.conversations.SessionManager` without `await`, over a sync keep or a view of it.

    Hooks run on the keep's event loop, and a sync `migrate` too: it must not block. A sync `summarize` may block.
    The parameters are written out, so that editors and type checkers know them; a test compares them with the original.
    """

    def __init__(
        self,
        keep: SyncView,
        *,
        agent_name: str | None = None,
        user_id: str | None = None,
        window: int | None = None,
        idle_ttl: timedelta | float | EllipsisType | None = ...,
        auto_save: bool = True,
        schema_version: int | None = None,
        migrate: Migrate | None = None,
        hooks: Hooks | Sequence[Hooks] = (),
    ) -> None:
        manager = SessionManager(
            keep.asynchronous,
            agent_name=agent_name,
            user_id=user_id,
            window=window,
            idle_ttl=idle_ttl,
            auto_save=auto_save,
            schema_version=schema_version,
            migrate=migrate,
            hooks=hooks,
        )
        super().__init__(manager, keep.runner)

    def __repr__(self) -> str:
        return repr(self.asynchronous).replace("<", "<Sync", 1)

    def get_or_create(self, id: str | None = None, *, user_id: str | None = None) -> SyncConversation:
        """As `SessionManager.get_or_create`."""
        return self._conversation(self.runner.run(self.asynchronous.get_or_create(id, user_id=user_id)))

    def get(self, id: str) -> SyncConversation:
        """As `SessionManager.get`."""
        return self._conversation(self.runner.run(self.asynchronous.get(id)))

    def resume_latest(self, user_id: str | None = None) -> SyncConversation:
        """As `SessionManager.resume_latest`."""
        return self._conversation(self.runner.run(self.asynchronous.resume_latest(user_id)))

    @runs(SessionManager.list)
    def list(self) -> None: ...

    @runs(SessionManager.exists)
    def exists(self) -> None: ...

    @runs(SessionManager.remove)
    def remove(self) -> None: ...

    @runs(SessionManager.usage)
    def usage(self) -> None: ...

    def _conversation(self, asynchronous: Conversation) -> SyncConversation:
        return SyncConversation(asynchronous, self.runner)


class SyncConversation(Blocking[Conversation]):
    """`agentkeep.conversations.Conversation` without `await`."""

    def __repr__(self) -> str:
        return repr(self.asynchronous).replace("<", "<Sync", 1)

    @property
    def id(self) -> str:
        """The session's id."""
        return self.asynchronous.id

    @property
    def session(self) -> Session:
        """The session as this object last read or wrote it. `reload` reads it again."""
        return self.asynchronous.session

    @property
    def data(self) -> dict[str, Any]:
        """A copy of the data that the agent collected, with the changes that are not saved yet."""
        return self.asynchronous.data

    @runs(Conversation.reload)
    def reload(self) -> None: ...

    @runs(Conversation.add_message)
    def add_message(self) -> None: ...

    @runs(Conversation.history)
    def history(self) -> None: ...

    @runs(Conversation.set_history)
    def set_history(self) -> None: ...

    @runs(Conversation.clear_history)
    def clear_history(self) -> None: ...

    @runs(Conversation.reset)
    def reset(self) -> None: ...

    @runs(Conversation.set_data)
    def set_data(self) -> None: ...

    @runs(Conversation.move)
    def move(self) -> None: ...

    @runs(Conversation.add_usage)
    def add_usage(self) -> None: ...

    @runs(Conversation.usage)
    def usage(self) -> None: ...

    @runs(Conversation.save)
    def save(self) -> None: ...

    @runs(Conversation.stored_turn)
    def stored_turn(self) -> None: ...

    @runs(Conversation.context)
    def context(self) -> None: ...

    @runs(Conversation.rewind)
    def rewind(self) -> None: ...

    @runs(Conversation.complete)
    def complete(self) -> None: ...

    @runs(Conversation.abandon)
    def abandon(self) -> None: ...

    @runs(Conversation.delete)
    def delete(self) -> None: ...

    def working_copy(self) -> SyncConversation:
        """As `Conversation.working_copy`."""
        return SyncConversation(self.asynchronous.working_copy(), self.runner)

    def fork(self, at: int | Message | None = None, *, id: str | None = None) -> SyncConversation:
        """As `Conversation.fork`."""
        return SyncConversation(self.runner.run(self.asynchronous.fork(at, id=id)), self.runner)

    def retry(self, change: Callable[[SyncConversation], Result]) -> Result:
        """As `Conversation.retry`; `change` runs in the caller's thread."""
        for tries_left in reversed(range(_TRIES)):
            self.reload()
            attempt = self.working_copy()
            result = change(attempt)
            try:
                self.asynchronous.session = attempt.save()
            except Conflict as conflict:
                if conflict.kind != "version" or not tries_left:
                    raise
            else:
                return result
        raise AssertionError("the last try returns or raises")

    def turn(self, id: str | None = None, *, keep_partial: bool = False) -> SyncTurn:
        """As `Conversation.turn`, for `with`."""
        return SyncTurn(self.asynchronous.turn(id, keep_partial=keep_partial), self.runner)


class SyncTurn(Blocking[Turn]):
    """`agentkeep.conversations.Turn` without `await`: `with conversation.turn() as turn:`."""

    def __init__(self, asynchronous: Turn, runner: Runner) -> None:
        super().__init__(asynchronous, runner)
        self.id: str = asynchronous.id
        """The `turn_id` of its messages."""

    def __repr__(self) -> str:
        return repr(self.asynchronous).replace("<", "<Sync", 1)

    @property
    def messages(self) -> tuple[NewMessage, ...]:
        """What was added so far, with the ids under which it will be stored."""
        return self.asynchronous.messages

    @property
    def stored(self) -> Appended | None:
        """What the commit stored; None before it, and if the turn had nothing to store."""
        return self.asynchronous.stored

    def add(self, role: str, content: str | list[Any] | None = None, **fields: Unpack[MessageFields]) -> NewMessage:
        """As `Turn.add`."""
        return self.asynchronous.add(role, content, **fields)

    def add_messages(self, messages: Iterable[NewMessage]) -> list[NewMessage]:
        """As `Turn.add_messages`."""
        return self.asynchronous.add_messages(messages)

    def stream(
        self, chunks: Iterable[str], *, role: str = "assistant", **fields: Unpack[MessageFields]
    ) -> Generator[str, None, None]:
        """As `Turn.stream`, over an iterable."""
        parts: list[str] = []
        for chunk in chunks:
            parts.append(chunk)
            yield chunk
        self.add(role, "".join(parts), **fields)

    def set_data(self, changes: Mapping[str, Any], *, replace: bool = False) -> None:
        """As `Turn.set_data`."""
        self.asynchronous.set_data(changes, replace=replace)

    def move(self, *, route: str | None = None, step: str | None = None) -> None:
        """As `Turn.move`."""
        self.asynchronous.move(route=route, step=step)

    def add_usage(self, *, input_tokens: int = 0, output_tokens: int = 0, cost: Decimal | str | int = 0) -> None:
        """As `Turn.add_usage`."""
        self.asynchronous.add_usage(input_tokens=input_tokens, output_tokens=output_tokens, cost=cost)

    @runs(Turn.commit)
    def commit(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.runner.run(self.asynchronous.__aexit__(kind, error, trace))
