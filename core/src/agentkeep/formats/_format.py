"""What all formats do alike: take items, keep what has no field, make items again."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from agentkeep.errors import InvalidInput
from agentkeep.formats._reading import Item, Reading, is_kept, is_same, refilled
from agentkeep.models import Message, NewMessage

Names = Mapping[str, str]
"""The tools' names by the ids of their calls: some formats want the name beside a result."""


@dataclass(frozen=True)
class Format:
    """One vendor's or framework's format."""

    name: str
    """As it stands in a message's `event`."""
    wanted: str
    """What an item looks like, for the sentence of an error."""
    read: Callable[[Item], Reading | None]
    """None: this is not an item of the format."""
    write: Callable[[Message | NewMessage, Names], list[Item]]
    """The items of a message by its fields alone."""
    dump: Callable[[Any], Item | None] = field(default=lambda item: dumped(item))
    """The dict of a vendor's object; None if the object is not one."""

    def from_items(self, items: Any) -> list[NewMessage]:
        """Raises `InvalidInput` for what is no item of the format."""
        return [self._message(item) for item in self._listed(items)]

    def to_items(self, messages: Iterable[Message | NewMessage]) -> list[Item]:
        """Raises `InvalidInput` for what is no message."""
        given = [messages] if isinstance(messages, Message | NewMessage) else list(messages)
        names: dict[str, str] = {}
        made: list[Item] = []
        for message in given:
            if not isinstance(message, Message | NewMessage):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise InvalidInput(f"a message is of type {type(message).__name__}: give a Message or NewMessage")
            names |= _names(message)
            item = self._kept(message)
            made += self.write(message, names) if item is None else [item]
        return made

    def _kept(self, message: Message | NewMessage) -> Item | None:
        """The message's own item; None if it has none, or if the item can't say what the fields say now."""
        if not is_kept(message.event, self.name):
            return None
        item = refilled(message.event, message)
        reading = self.read(item)
        return item if reading is not None and reading.says_the_same(message) else None

    def _listed(self, items: Any) -> list[Any]:
        if isinstance(items, list | tuple):
            return list(cast("Iterable[Any]", items))
        return [items]

    def _message(self, item: Any) -> NewMessage:
        plain = self._plain(item)
        reading = self.read(plain)
        if reading is None:
            raise InvalidInput(f"this is not a message of the format {self.name}: give {self.wanted}")
        message = reading.message()
        made = self.write(message, _names(message))
        try:
            exact = len(made) == 1 and is_same(made[0], plain)
        except (TypeError, ValueError, UnicodeEncodeError):
            exact = False  # not JSON: `append` says where
        return message if exact else msgspec.structs.replace(message, event=reading.kept(self.name))

    def _plain(self, item: Any) -> Item:
        if not isinstance(item, dict):
            made = self.dump(item)
            if made is None:
                kind = type(item).__name__
                raise InvalidInput(f"a message of the format {self.name} is of type {kind}: give {self.wanted}")
            item = made
        return cast("Item", plain(cast("Item", item)))


def plain(value: Any) -> Any:
    """A value with the vendor's objects inside it as dicts, and with bytes as base64 text."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in cast("list[Any]", value)]
    if isinstance(value, bytes):
        return b64encode(value).decode()
    made = dumped(value)
    return value if made is None else made


def dumped(item: Any, **options: Any) -> Item | None:
    """The dict of a pydantic-like object, with what was set in it; None for anything else."""
    dump = getattr(item, "model_dump", None)
    if not callable(dump):
        return None
    return cast("Item", dump(mode="json", **(options or {"exclude_unset": True})))


def _names(message: Message | NewMessage) -> dict[str, str]:
    names: dict[str, str] = {}
    for call in message.tool_calls or ():
        match call:
            case {"id": str(id), "function": {"name": str(name)}} | {"id": str(id), "custom": {"name": str(name)}}:
                names[id] = name
            case _:
                pass
    return names
