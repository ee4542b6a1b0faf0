"""What a bridge to an agent framework needs beside the public API: ids made of several names, values that JSON can't
hold, and an append that is asked again after a lost reply. And what its sessions say, for everybody else.

Frameworks allow more than Agentkeep stores: lone surrogates (half an emoji in a tool's output), NaN, tuples, keys that
are no strings. A refusal in the middle of a run would lose the run, so a bridge stores such a value as JSON text.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, cast
from uuid import uuid4

from msgspec.structs import replace

from agentkeep import _chats
from agentkeep._codec import encode_json
from agentkeep._validation import MAX_ID_BYTES
from agentkeep.errors import InvalidInput, OutcomeUnknown
from agentkeep.messages import Messages
from agentkeep.models import Appended, Message, NewMessage, Session

_ESCAPED = re.compile(r"[#%/\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_TEXT = "agentkeep:json"
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


def to_stored(value: Any) -> Any:
    """`value` as it is if Agentkeep can store it, else as JSON text in an object of one key.

    JSON text keeps NaN, infinities and lone surrogates. As in every JSON store, tuples become lists and keys become
    strings. Raises `TypeError` for what no JSON can say, such as bytes.
    """
    if not _is_marked(value):
        try:
            encode_json(value, "value")
        except InvalidInput:
            pass
        else:
            return value
    return {_TEXT: json.dumps(value)}


def from_stored(stored: Any) -> Any:
    """What `to_stored` was called with."""
    return json.loads(stored[_TEXT]) if _is_marked(stored) else stored


def _is_marked(value: Any) -> bool:
    return isinstance(value, dict) and cast("dict[Any, Any]", value).keys() == {_TEXT}


def chat_messages(session: Session, messages: Iterable[Message]) -> list[NewMessage]:
    """The messages of a session that any bridge wrote, as chat messages: `agentkeep.formats` takes them to a model.

    Text, images, tool calls and results are converted, as far as `agentkeep.formats` does. What is no message of the
    chat (a title, a change of state) is left out. Messages of a session without a bridge are returned as they are.
    Raises `InvalidInput` for a message that is not in the form of the session's framework.
    """
    return _chats.chat_messages(session, messages, from_stored)


async def append_once(messages: Messages, session_id: str, batch: Sequence[NewMessage], **options: Any) -> Appended:
    """`messages.append`, asked up to three times if the outcome is unknown. The batch is stored once in all (IDEM-1).

    A message without an id gets one here, so that each try sends the same. Raises what `append` raises.
    """
    batch = [message if message.id else replace(message, id=uuid4().hex) for message in batch]
    for pause in _PAUSES:
        try:
            return await messages.append(session_id, batch, **options)
        except OutcomeUnknown:
            await asyncio.sleep(pause)
    return await messages.append(session_id, batch, **options)
