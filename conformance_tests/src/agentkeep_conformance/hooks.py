"""What the deep families may ask of an enrolment besides `open` and `scan`. All of it is optional."""

from __future__ import annotations

from typing import Any, ClassVar


class Hooks:
    """Inherited by every enrolment; a class attribute is the whole of most answers."""

    one_connection: ClassVar[dict[str, Any]] = {}
    """Options of `open` that leave the adapter one connection. Empty: it has no pool, or always one."""

    impatient: ClassVar[dict[str, Any]] = {}
    """Options of `open` that make a call give up after half a second or so. Empty: calls are given 90 seconds."""
