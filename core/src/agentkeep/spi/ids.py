"""Ids of the form that core draws: 32 hexadecimal digits that begin with the time.

An adapter that keeps the greatest one that a session ever held need not look for later ones (IDEM-2). A caller may give
ids of this form too, so the form does not say who drew an id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_DRAWN = re.compile("[0-9a-f]{32}")


def is_drawn(id: str) -> bool:
    return _DRAWN.fullmatch(id) is not None


def greatest_drawn(ids: Iterable[str]) -> str | None:
    """None if no id has the form."""
    return max(filter(is_drawn, ids), default=None)
