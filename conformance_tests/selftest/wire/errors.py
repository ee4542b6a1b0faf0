"""The errors that the server answers with, and back."""

from __future__ import annotations

from typing import Any

from agentkeep import AlreadyExists, Conflict, MessageNotFound, PersistenceError, SessionNotFound


def to_wire(error: PersistenceError) -> tuple[str, list[Any]] | None:
    """The name and fields of an error that belongs to the call; None where it does not."""
    match error:
        case SessionNotFound() | AlreadyExists():
            return type(error).__name__, [error.session_id]
        case MessageNotFound():
            return "MessageNotFound", [error.session_id, error.message_id]
        case Conflict():
            return "Conflict", [str(error).partition(": expected")[0], error.expected, error.actual]
        case _:
            return None


def from_wire(name: str, fields: list[Any]) -> PersistenceError:
    match name:
        case "SessionNotFound":
            return SessionNotFound(*fields)
        case "AlreadyExists":
            return AlreadyExists(*fields)
        case "MessageNotFound":
            return MessageNotFound(*fields)
        case "Conflict":
            what, expected, actual = fields
            return Conflict(what, expected=expected, actual=actual)
        case _:
            return PersistenceError(f"the server failed: {name} {fields}")
