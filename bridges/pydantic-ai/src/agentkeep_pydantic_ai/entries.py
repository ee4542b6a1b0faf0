"""An entry of a conversation as a message of a session, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentkeep import Message, NewMessage
from agentkeep.bridging import item_message, item_of
from pydantic_ai import ModelMessage, ModelMessagesTypeAdapter, ModelResponse
from pydantic_ai.conversation_store import ConversationEntry

FRAMEWORK = "pydantic-ai"


def as_message(entry: ConversationEntry) -> NewMessage:
    [item] = ModelMessagesTypeAdapter.dump_python([entry.message], mode="json")
    return item_message(
        FRAMEWORK,
        item,
        id=entry.id,
        role=_role(entry.message),
        turn_id=entry.message.run_id,
        metadata={"parent": entry.parent_id},
    )


def _role(message: ModelMessage) -> str:
    """As in chat formats: what the first part is of."""
    if isinstance(message, ModelResponse):
        return "assistant"
    kinds = {part.part_kind for part in message.parts}
    return "user" if "user-prompt" in kinds else "tool" if kinds & {"tool-return", "retry-prompt"} else "system"


def as_entry(message: Message) -> ConversationEntry:
    [event] = ModelMessagesTypeAdapter.validate_python([item_of(message, FRAMEWORK)])
    return ConversationEntry(id=message.id, parent_id=message.metadata["parent"], message=event)


def usage_of(entries: Sequence[ConversationEntry]) -> dict[str, int]:
    responses = [entry.message for entry in entries if isinstance(entry.message, ModelResponse)]
    totals: dict[str, Any] = {
        "input_tokens": sum(response.usage.input_tokens for response in responses),
        "output_tokens": sum(response.usage.output_tokens for response in responses),
    }
    return {name: total for name, total in totals.items() if total}
