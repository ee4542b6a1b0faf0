"""What importing works on, whatever format the file has."""

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
    """One session as a file has it."""

    id: str
    where: str
    """The file and the place in it, for messages to the user."""
    fields: SessionUpdate
    """What the file says of the session."""
    entries: Callable[[], Iterator[NewMessage | Message]]
    """Its messages, from the first one, each time it is called: `Message` where the file is an export of ours."""
    original: Session | None = None
    """The session that was exported, where the file is an export of ours."""


def check(id: str, fields: SessionUpdate, messages: Sequence[NewMessage], capabilities: Capabilities) -> None:
    """Raise what core would raise when these were created and appended: `InvalidInput`, with the message's place."""
    scope = Scope("default")
    check_id(id, "id")
    if fields:
        session_changes(fields, scope, capabilities)
    for place, message in enumerate(messages, start=1):
        try:
            message_draft(message, capabilities)
        except InvalidInput as error:
            raise InvalidInput(f"message {place}: {error}") from error
