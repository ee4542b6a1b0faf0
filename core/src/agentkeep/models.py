"""What users get back: frozen values. Changing what is inside them changes nothing stored (FID-5).

Times are aware UTC datetimes with microseconds (FID-3); `state`, `metadata` and `event` are JSON (FID-1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeVar, overload

from msgspec import field

from agentkeep._values import Value

Status = Literal["active", "completed", "abandoned"]
T = TypeVar("T")
_set = object.__setattr__


class Session(Value, frozen=True, kw_only=True):
    """One conversation."""

    id: str
    tenant: str
    user_id: str | None
    agent_name: str | None
    title: str | None
    status: Status
    current_route: str | None
    current_step: str | None
    state: dict[str, Any]
    """The data that the agent collected."""
    metadata: dict[str, Any]
    """Free; its top-level strings, numbers, bools and nulls can be filtered by."""
    counters: dict[str, int]
    """Named integers that `add` adds to (CNT-2)."""
    parent_id: str | None
    forked_at_seq: int | None
    version: int
    """Grows with each update; a plain append leaves it. No two lives of an id share a version (SES-2)."""
    schema_version: int | None
    """Of the agent's own state; Agentkeep only keeps it."""
    message_count: int
    """Messages held now."""
    last_seq: int
    """The highest ever given; 0 before the first message."""
    created_at: datetime
    updated_at: datetime
    """The server's time of the last write to the session or its log; it never goes back."""
    last_message_at: datetime | None
    """`created_at` of the newest message held (the highest seq), None while there is none."""
    completed_at: datetime | None
    ends_at: datetime | None
    """The fixed end, if the session has one (TTL-3)."""
    idle_ttl: timedelta | None
    """How long after its last append or touch the session ends, if it has such a limit (TTL-3)."""
    expires_at: datetime | None
    """The earlier of the two ends; None: the session never expires."""


class NewMessage(Value, frozen=True, kw_only=True):
    """A message to append. `id` is an idempotency key in its session (IDEM-1); give it if a call may be retried."""

    role: str
    content: str | list[Any] | None = None
    id: str | None = None
    name: str | None = None
    user_id: str | None = None
    tool_calls: list[Any] | None = None
    tool_call_id: str | None = None
    turn_id: str | None = None
    route: str | None = None
    step: str | None = None
    event: Any = None
    """Any JSON: the framework's own item, kept verbatim."""
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    created_at: datetime | None = None
    """Aware; the server's (or core's) time of the append when absent. Not part of the content that IDEM-1 compares."""


class Message(Value, frozen=True, kw_only=True):
    """One entry of a session's log. `seq` gives its order: 1, 2, 3, …, never given twice (ORD-1)."""

    id: str
    session_id: str
    seq: int
    role: str
    content: str | list[Any] | None
    name: str | None
    user_id: str | None
    tool_calls: list[Any] | None
    tool_call_id: str | None
    turn_id: str | None
    route: str | None
    step: str | None
    event: Any
    metadata: dict[str, Any]
    created_at: datetime


class Appended(Sequence[Message]):
    """The stored messages of one append, in the call's order, and what the session was as of that commit.

    Immutable. Two are equal if their messages and all three numbers are.
    """

    __slots__ = ("last_seq", "messages", "new", "version")

    messages: tuple[Message, ...]
    version: int
    """The session's version: the `expected_version` of the next call."""
    last_seq: int
    """The session's last seq: the `expected_last_seq` of the next call."""
    new: int
    """How many messages this call stored; 0 for a repeated call (IDEM-1).

    Also 0 if the caller gave ids, the answer was lost, and the adapter sent again or looked: the messages are there
    once, but another call may have stored them. Ids that core drew are nobody else's, so then all are new.
    """

    def __init__(self, messages: Iterable[Message], *, version: int, last_seq: int, new: int) -> None:
        _set(self, "messages", tuple(messages))
        _set(self, "version", version)
        _set(self, "last_seq", last_seq)
        _set(self, "new", new)

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Message, ...]: ...
    def __getitem__(self, index: int | slice) -> Message | tuple[Message, ...]:
        return self.messages[index]

    def __len__(self) -> int:
        return len(self.messages)

    def __iter__(self) -> Iterator[Message]:
        return iter(self.messages)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, as `Message.to_dict` is: `messages`, `version`, `last_seq` and `new`."""
        return self._fields() | {"messages": [message.to_dict() for message in self.messages]}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from agentkeep._pydantic import appended_schema

        return appended_schema(cls, handler)

    def __eq__(self, other: object) -> bool:
        return self._fields() == other._fields() if isinstance(other, Appended) else NotImplemented

    __hash__: ClassVar[None]  # pyright: ignore[reportIncompatibleMethodOverride] - messages hold dicts

    def __repr__(self) -> str:
        return f"Appended({', '.join(f'{name}={value!r}' for name, value in self._fields().items())})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _appended, (self.messages, self.version, self.last_seq, self.new)

    def __replace__(self, **changes: Any) -> Appended:
        return Appended(**self._fields() | changes)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an Appended can't be changed: {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"an Appended can't be changed: {name!r}")

    def _fields(self) -> dict[str, Any]:
        return {
            "messages": list(self.messages),
            "version": self.version,
            "last_seq": self.last_seq,
            "new": self.new,
        }


def _appended(messages: tuple[Message, ...], version: int, last_seq: int, new: int) -> Appended:
    return Appended(messages, version=version, last_seq=last_seq, new=new)


class Resumed(NamedTuple):
    """A session and the newest of its messages, oldest first: `session, messages = await sessions.resume(id)`."""

    session: Session
    messages: list[Message]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: `session` and `messages`."""
        return {"session": self.session.to_dict(), "messages": [message.to_dict() for message in self.messages]}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from agentkeep._pydantic import resumed_schema

        return resumed_schema(cls, handler)


class Page(Value, Generic[T], frozen=True, kw_only=True):
    """Some rows, and whether there are more (READ-1)."""

    items: list[T]
    next_cursor: str | None
    """Opaque: repeat the call with it as `cursor`. None on the last page."""
    has_more: bool


class Hit(Value, frozen=True, kw_only=True):
    """One finding of a search: higher `score` is better; `highlights` are excerpts with the matches in `**`."""

    message: Message
    score: float
    highlights: list[str]


class Health(Value, frozen=True, kw_only=True):
    """What `health()` saw by asking the server. A server that can't be asked raises `Unavailable` instead."""

    adapter: str
    server: str
    """The server's name and version."""
    schema_version: int | None
    durability: str
    """As in `Capabilities.durability`, read from the server's own settings where it has them."""
    latency: timedelta
    """Of the one round trip that asked."""
    warnings: list[str]
    """Sentences for a human: a setting that weakens a promise, a network file system."""
