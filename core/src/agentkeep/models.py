"""What users get back: frozen values. Changing what is inside them changes nothing stored (FID-5).

Times are aware UTC datetimes with microseconds (FID-3); `state`, `metadata` and `event` are JSON (FID-1).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct

Status = Literal["active", "completed", "abandoned"]
T = TypeVar("T")


class Session(Struct, frozen=True, kw_only=True):
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
    parent_id: str | None
    forked_at_seq: int | None
    version: int
    """Starts at 1, +1 on each update; a plain append leaves it."""
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
    expires_at: datetime | None


class NewMessage(Struct, frozen=True, kw_only=True):
    """A message to append. `id` is an idempotency key in its session (IDEM-1); give it where a call may be retried."""

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
    metadata: dict[str, Any] = {}
    created_at: datetime | None = None
    """Aware; the server's (or core's) time of the append when absent. Not part of the content that IDEM-1 compares."""


class Message(Struct, frozen=True, kw_only=True):
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


class Page(Struct, Generic[T], frozen=True, kw_only=True):
    """Some rows, and whether there are more (READ-1)."""

    items: list[T]
    next_cursor: str | None
    """Opaque. Sessions: hand it back as `cursor`. Messages: as `after`, or as `before` where `newest_first`."""
    has_more: bool


class Hit(Struct, frozen=True, kw_only=True):
    """One finding of a search: higher `score` is better; `highlights` are excerpts with the matches in `**`."""

    message: Message
    score: float
    highlights: list[str]


class Health(Struct, frozen=True, kw_only=True):
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
