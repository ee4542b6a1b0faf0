"""What a conversation collects before it is written: messages, changes of the data, fields, counters."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict

from agentkeep._drafts import SessionUpdate
from agentkeep.errors import InvalidInput
from agentkeep.models import Message, NewMessage

Data = dict[str, Any]


class MessageFields(TypedDict, total=False):
    """What a message may have beside its role and content."""

    id: str | None
    name: str | None
    user_id: str | None
    tool_calls: list[Any] | None
    tool_call_id: str | None
    turn_id: str | None
    route: str | None
    step: str | None
    event: Any
    metadata: dict[str, Any]
    created_at: datetime | None


@dataclass
class Changes:
    """Not written yet."""

    messages: list[NewMessage] = field(default_factory=list[NewMessage])
    data: list[Callable[[Data], Data]] = field(default_factory=list[Callable[[Data], Data]])
    """Each returns the new data for the stored data, so that it can be applied again after a conflict."""
    fields: SessionUpdate = field(default_factory=lambda: SessionUpdate())
    add: Counter[str] = field(default_factory=Counter[str])
    is_rewrite: bool = False
    """Whether the messages replace the whole log, with its summary."""

    def __bool__(self) -> bool:
        return bool(self.messages or self.data or self.fields or self.add or self.is_rewrite)

    def set_data(self, changes: Mapping[str, Any], *, replace: bool) -> None:
        """Merge `changes` into the data by its top-level keys, or replace all of the data."""
        if not isinstance(changes, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidInput(f"data is of type {type(changes).__name__}: give a dict")
        given = copy.deepcopy(dict(changes))
        self.data.append(lambda data: copy.deepcopy(given) if replace else data | copy.deepcopy(given))

    def move(self, route: str | None, step: str | None) -> None:
        """Set the session's route and step; None keeps the one that it has."""
        if route is not None:
            self.fields["current_route"] = route
        if step is not None:
            self.fields["current_step"] = step

    def data_over(self, stored: Data) -> Data:
        """The data as it will be, over what is stored."""
        data = copy.deepcopy(stored)
        for change in self.data:
            data = change(data)
        return data


def as_new(message: NewMessage | Message) -> NewMessage:
    """A stored message as one to append."""
    if isinstance(message, NewMessage):
        return message
    return NewMessage(**{name: getattr(message, name) for name in NewMessage.__struct_fields__})


def filled(message: NewMessage, **absent: str | None) -> NewMessage:
    """A copy in which the fields `absent` have these values if they have none."""
    missing = {name: value for name, value in absent.items() if value is not None and getattr(message, name) is None}
    return replaced(message, **missing) if missing else message


def replaced(message: NewMessage, **fields: Any) -> NewMessage:
    kept = {name: getattr(message, name) for name in NewMessage.__struct_fields__}
    return NewMessage(**(kept | fields))
