"""The summary of the messages that do not fit into the context. It stands in the session's metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from agentkeep._values import Value
from agentkeep.errors import Conflict
from agentkeep.models import Message, Session

if TYPE_CHECKING:
    from agentkeep.conversations._conversation import Conversation

SUMMARY = "agentkeep.summary"
"""The key in the metadata."""
_TRIES = 20


class Summary(Value, frozen=True, kw_only=True):
    """`text` says what was in the messages up to and with seq `through`."""

    text: str
    through: int


def summary_in(session: Session) -> Summary | None:
    """The stored summary, None if there is none."""
    stored = session.metadata.get(SUMMARY)
    if not isinstance(stored, dict):
        return None
    fields = cast("dict[str, Any]", stored)
    return Summary(text=fields["text"], through=fields["through"])


def as_message(session: Session, summary: Summary) -> Message:
    """The summary as a message for the model; it is no message of the log."""
    return Message(
        id=SUMMARY,
        session_id=session.id,
        seq=summary.through,
        role="system",
        content=summary.text,
        name=None,
        user_id=None,
        tool_calls=None,
        tool_call_id=None,
        turn_id=None,
        route=None,
        step=None,
        event=None,
        metadata={},
        created_at=session.updated_at,
    )


async def store_summary(conversation: Conversation, session: Session, summary: Summary) -> Summary:
    """Store it, unless another process stored one that goes as far. Returns the one that is stored."""
    for _ in range(_TRIES):
        stored = summary_in(session)
        if stored is not None and stored.through >= summary.through:
            return stored
        metadata = session.metadata | {SUMMARY: summary.to_dict()}
        try:
            conversation.session = await conversation.view.sessions.update(
                session.id, metadata=metadata, expected_version=session.version
            )
        except Conflict:
            session = await conversation.view.sessions.get(session.id)
        else:
            return summary
    return summary  # the session changes all the time: the next context stores one


async def forget_summary(conversation: Conversation, *, after: int) -> None:
    """Remove a summary that says something of messages after seq `after`."""
    for tries_left in reversed(range(_TRIES)):
        session = await conversation.view.sessions.get(conversation.id)
        metadata = without_summary(session.metadata, after=after)
        if metadata == session.metadata:
            return
        try:
            await conversation.view.sessions.update(session.id, metadata=metadata, expected_version=session.version)
        except Conflict:
            if not tries_left:
                raise


def without_summary(metadata: dict[str, Any], *, after: int | None) -> dict[str, Any]:
    """The metadata without a summary that goes beyond seq `after`; None: as it is."""
    stored = metadata.get(SUMMARY)
    if after is None or not isinstance(stored, dict) or cast("dict[str, Any]", stored)["through"] <= after:
        return metadata
    return {key: value for key, value in metadata.items() if key != SUMMARY}
