"""The errors that the server answers with, and back: the class, the message, the attributes."""

from __future__ import annotations

from typing import Any

from agentkeep import PersistenceError, errors


def to_wire(error: PersistenceError) -> tuple[str, list[Any]]:
    return type(error).__name__, [str(error), vars(error)]


def from_wire(name: str, fields: list[Any]) -> PersistenceError:
    kind: type[PersistenceError] = getattr(errors, name)
    message, attributes = fields
    error = kind.__new__(kind)
    error.args = (message,)
    error.__dict__.update(attributes)
    return error
