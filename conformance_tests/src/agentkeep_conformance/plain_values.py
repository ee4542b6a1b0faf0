"""What is returned is a value: it pickles, and `to_dict` says in JSON all that it holds."""

from __future__ import annotations

import json
import pickle
from datetime import datetime, timedelta
from typing import Any, cast

from agentkeep import Appended, Message, Page, Resumed, Session
from msgspec import Struct
from msgspec.structs import asdict

_STRUCTS = (Message, Page, Session)


def check_value(found: Any) -> None:
    """Raises `AssertionError`. `found` may be a value, a list of values, a dict of values, or anything else."""
    if isinstance(found, (Appended, Resumed, *_STRUCTS)):
        copy = pickle.loads(pickle.dumps(found))  # noqa: S301 - our own bytes
        assert copy == found, f"{copy!r} was pickled, expected {found!r}"
        told, expected = json.loads(json.dumps(found.to_dict())), _plain(found)
        assert repr(told) == repr(expected), f"to_dict() returned {told!r}, expected {expected!r}"
    elif isinstance(found, dict):
        check_value(list(cast("dict[str, Any]", found).values()))
    elif isinstance(found, list):
        for value in cast("list[Any]", found):
            check_value(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Appended):
        numbers = {"version": value.version, "last_seq": value.last_seq, "new": value.new}
        return {"messages": [_plain(message) for message in value], **numbers}
    if isinstance(value, Resumed):
        return {name: _plain(part) for name, part in value._asdict().items()}
    if isinstance(value, _STRUCTS):
        return {name: _plain(part) for name, part in asdict(cast("Struct", value)).items()}
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    return [_plain(part) for part in cast("list[Any]", value)] if isinstance(value, list) else value
