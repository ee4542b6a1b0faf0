"""What a bridge to an agent framework needs beside the public API: ids made of several names, values that JSON can't
hold, and an append that is asked again after a lost reply. And what its sessions say, for everybody else.

Frameworks allow more than Agentkeep stores: lone surrogates (half an emoji in a tool's output), NaN, tuples, keys that
are no strings. A refusal in the middle of a run would lose the run, so a bridge stores such a value as JSON text.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from msgspec.structs import replace

from agentkeep._chats import as_chat
from agentkeep._items import ITEM, framework_of, from_stored, to_stored
from agentkeep._validation import MAX_ID_BYTES, fresh_id
from agentkeep.errors import InvalidInput, OutcomeUnknown
from agentkeep.messages import Messages
from agentkeep.models import Appended, Message, NewMessage

__all__ = [
    "append_once",
    "chat_messages",
    "from_stored",
    "item_message",
    "item_of",
    "joined_id",
    "single_name",
    "to_stored",
]

_ESCAPED = re.compile(r"[#%/\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_PAUSES = (0.05, 0.5)
"""Seconds before the second and the third try: a server that restarts is back after a moment."""


def joined_id(*names: str) -> str:
    """One id of several names, which may hold anything. Different names (of the same number) never share an id.

    Names are joined by `/`. Of each, `#`, `%`, `/`, control characters and lone surrogates are percent-encoded. An id
    that would be longer than 255 bytes becomes `#` and the SHA-256 of that text: keep the names in `metadata`.
    """
    joined = "/".join(_ESCAPED.sub(_percent, name) for name in names)
    if not joined:
        return "%"  # no name is escaped to a single percent sign
    encoded = joined.encode()
    return joined if len(encoded) <= MAX_ID_BYTES else f"#{hashlib.sha256(encoded).hexdigest()}"


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode(errors="surrogatepass"))


def single_name(id: str) -> str:
    """The name of which `joined_id` made this id. An id that holds a digest, or that others chose, is its own name."""
    name = "" if id == "%" else unquote(id, errors="surrogatepass")
    return name if joined_id(name) == id else id


def item_message(
    framework: str,
    item: Any,
    *,
    role: str,
    id: str | None = None,
    name: str | None = None,
    turn_id: str | None = None,
    metadata: dict[str, Any] | None = None,
    created_at: datetime | None = None,
) -> NewMessage:
    """A message whose `event` is a framework's own item, verbatim; an entry of `metadata` says whose item it is.

    `content` stays None, so nothing is stored twice. `search` looks at what was said in the item, not at its dates,
    names and ids (SRCH-1). `framework`: the bridge's name, such as `google-adk`.
    """
    return NewMessage(
        id=id,
        role=role,
        name=name,
        turn_id=turn_id,
        event=to_stored(item),
        metadata={**(metadata or {}), ITEM: framework},
        created_at=created_at,
    )


def item_of(message: Message, framework: str) -> Any:
    """The framework's item of which `item_message` made this message.

    Raises `InvalidInput` for a message of another framework or of none: two frameworks may use one session id.
    """
    found = framework_of(message)
    if found != framework:
        raise InvalidInput(
            f"message {message.id!r} of session {message.session_id!r} is of {found or 'no bridge'}, not of {framework}"
            ": give another session id, or the view of a tenant for each framework (keep.for_tenant)"
        )
    return from_stored(message.event)


def chat_messages(messages: Iterable[Message]) -> list[NewMessage]:
    """Messages that any bridge wrote, as chat messages: `agentkeep.formats` takes them to a model.

    Text, images, tool calls and results are converted, as far as `agentkeep.formats` does. What is no message of the
    chat (a title, a change of state) is left out. Messages of no bridge are returned as they are.
    Raises `InvalidInput` for a message that is not in the form of its framework.
    """
    return [made for message in messages for made in as_chat(message)]


async def append_once(messages: Messages, session_id: str, batch: Sequence[NewMessage], **options: Any) -> Appended:
    """`messages.append`, asked up to three times if the outcome is unknown. The batch is stored once in all (IDEM-1).

    A message without an id gets one here, so that each try sends the same. Raises what `append` raises.
    """
    batch = [message if message.id else replace(message, id=fresh_id()) for message in batch]
    for pause in _PAUSES:
        try:
            return await messages.append(session_id, batch, **options)
        except OutcomeUnknown:
            await asyncio.sleep(pause)
    return await messages.append(session_id, batch, **options)
