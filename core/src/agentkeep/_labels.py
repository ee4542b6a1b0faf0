"""Metadata filters, the same on all backends: an adapter only tells whether a set of opaque labels contains others.

Each top-level string, number, bool or null of a session's metadata becomes one label. Equal values have equal labels:
1 and 1.0 are the same number, True is not a number, strings are compared byte by byte, and null is a value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from agentkeep._codec import encode_json
from agentkeep._validation import check_object
from agentkeep.errors import InvalidInput, LimitExceeded

MAX_LABEL_BYTES = 128
"""A longer label is replaced by its digest, so that every database's index can hold it."""

MAX_LABELS = 2_000
"""Filterable entries of one session: each is a row or key of its own in some databases (FID-4)."""

_encode = msgspec.json.Encoder().encode


def stored_labels(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """The labels to store with a session. Raises `LimitExceeded` (FID-4)."""
    labels = tuple(_label(key, value) for key, value in metadata.items() if _is_scalar(value))
    if len(labels) > MAX_LABELS:
        raise LimitExceeded("filterable entries of metadata", limit=MAX_LABELS, actual=len(labels))
    return labels


def wanted_labels(where: dict[str, Any] | None) -> tuple[str, ...]:
    """The labels that a filter asks for. Raises `InvalidInput` for a value that can't be filtered by."""
    if where is None:
        return ()
    encode_json(check_object(where, "metadata filter"), "metadata filter")
    for key, value in where.items():
        if not _is_scalar(value):
            raise InvalidInput(f"metadata filter {key!r}: filter by a string, number, bool or null")
    return tuple(sorted(_label(key, value) for key, value in where.items()))


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _label(key: str, value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    label = _encode([key, value])
    if len(label) > MAX_LABEL_BYTES:
        return "#" + hashlib.blake2b(label, digest_size=16).hexdigest()
    return label.decode()
