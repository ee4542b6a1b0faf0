"""What an import reads from a file of any format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from agentkeep._drafts import SessionUpdate, session_changes
from agentkeep._message_drafts import message_draft
from agentkeep._validation import check_id
from agentkeep.capabilities import Capabilities
from agentkeep.errors import InvalidInput
from agentkeep.models import Message, NewMessage, Session
from agentkeep.records import Scope


@dataclass(frozen=True, slots=True)
class Transcript:
    """One session in a file."""

    id: str
    where: str
    """The file and the line or number in it, for messages to the user."""
    fields: SessionUpdate
    """What the file says of the session."""
    entries: Callable[[], Iterator[NewMessage | Message]]
    """Each call returns an iterator over all messages. They are `Message` if the file is our own export."""
    original: Session | None = None
    """The exported session, if the file is our own export."""


def check(id: str, fields: SessionUpdate, messages: Sequence[NewMessage], capabilities: Capabilities) -> None:
    """Check what core would check if these were created and appended.

    Raises `InvalidInput`, with the message's number.
    """
    scope = Scope("default")
    check_id(id, "id")
    if fields:
        session_changes(fields, scope, capabilities)
    for number, message in enumerate(messages, start=1):
        try:
            message_draft(message, capabilities)
        except InvalidInput as error:
            raise InvalidInput(f"message {number}: {error}") from error
