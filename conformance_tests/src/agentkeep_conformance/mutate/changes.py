"""One change of a text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """Puts `text` in the place of what stands from `start` to `end`, in characters."""

    start: int
    end: int
    text: str
    rule: str
    where: str
    """The function or the named statement around it."""
    in_function: bool = False
    """Whether it runs only when that Python function is called."""
