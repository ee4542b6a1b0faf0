"""What core checks before an adapter is called, so that bad input gets the same typed error on every backend."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from os import urandom
from time import time_ns
from typing import Any, cast, get_args

from agentkeep.errors import InvalidInput, LimitExceeded
from agentkeep.models import Status
from agentkeep.records import MAX_COUNTERS, MAX_SEQ

MAX_ID_BYTES = 255
MAX_LIMIT = 1_000

_NOT_IN_IDS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_COUNTER = re.compile(r"[a-z0-9_.-]{1,64}")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_STATUSES: tuple[str, ...] = get_args(Status)


def fresh_id() -> str:
    """A fresh id of 32 hexadecimal digits: 12 of the milliseconds since 1970, then 80 random bits.

    So ids stand in an index in the order of their creation, as far as the clocks of the processes agree.
    """
    return f"{time_ns() // 1_000_000:012x}{urandom(10).hex()}"


def check_id(value: object, what: str) -> str:
    """An opaque id: 1 to 255 UTF-8 bytes, no control characters; kept byte for byte."""
    if type(value) is str and value.isascii() and value.isprintable() and 0 < len(value) <= MAX_ID_BYTES:
        return value  # most ids; the rest of this function finds what is wrong with the others
    if not isinstance(value, str):
        raise InvalidInput(f"{what} is of type {type(value).__name__}: give a string")
    if not value:
        raise InvalidInput(f"{what} is empty: give 1 to {MAX_ID_BYTES} bytes of UTF-8")
    if _NOT_IN_IDS.search(value):
        raise InvalidInput(f"{what} {value[:80]!r} holds a control character or a lone surrogate")
    size = len(value) if value.isascii() else len(value.encode())
    if size > MAX_ID_BYTES:
        raise InvalidInput(f"{what} has {size} bytes of UTF-8: at most {MAX_ID_BYTES}")
    return value


def check_optional_id(value: object, what: str) -> str | None:
    return None if value is None else check_id(value, what)


def check_text(value: object, what: str) -> str | None:
    """Any legal Unicode text, or None."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidInput(f"{what} is of type {type(value).__name__}: give a string or None")
    if _SURROGATE.search(value):
        raise InvalidInput(f"{what} holds a lone surrogate, which no encoding can keep")
    return value


def check_status(value: object) -> Status | None:
    if value is not None and value not in _STATUSES:
        raise InvalidInput(f"status is {value!r}: give one of {', '.join(_STATUSES)}")
    return value  # pyright: ignore[reportReturnType]


def check_count(value: object, what: str, *, least: int = 0, most: int = MAX_SEQ) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidInput(f"{what} is {value!r}: give an integer")
    if not least <= value <= most:
        raise InvalidInput(f"{what} is {value}: give {least} to {most}")
    return value


def check_optional_count(value: object, what: str, *, least: int = 0) -> int | None:
    return None if value is None else check_count(value, what, least=least)


def check_limit(value: object, what: str = "limit") -> int:
    """READ-1: 1 to 1,000 on every backend."""
    return check_count(value, what, least=1, most=MAX_LIMIT)


def check_time(value: object, what: str) -> datetime | None:
    """An aware datetime, turned to UTC (FID-3)."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise InvalidInput(f"{what} is of type {type(value).__name__}: give an aware datetime")
    if value.tzinfo is None or value.utcoffset() is None:
        raise InvalidInput(f"{what} {value.isoformat()} is naive: give an aware datetime, such as datetime.now(UTC)")
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise InvalidInput(f"{what} {value.isoformat()} is outside the years 1 to 9999 in UTC") from error


def check_duration(value: object, what: str) -> timedelta | None:
    """A `timedelta`, or a number of seconds, of at least a millisecond (the finest that all servers can expire by)."""
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            value = timedelta(seconds=value)
        except (OverflowError, ValueError) as error:
            raise InvalidInput(f"{what} is {value} seconds: give between a millisecond and a hundred years") from error
    if not isinstance(value, timedelta):
        raise InvalidInput(f"{what} is of type {type(value).__name__}: give a timedelta or seconds")
    if not timedelta(milliseconds=1) <= value <= timedelta(days=36_500):
        raise InvalidInput(f"{what} is {value}: give between a millisecond and a hundred years")
    return value


def check_ids(values: object, what: str) -> list[str]:
    """A list of ids without its repetitions."""
    if not isinstance(values, list | tuple | set | frozenset | dict):
        raise InvalidInput(f"{what} is of type {type(values).__name__}: give a list of ids")
    return list(dict.fromkeys(check_id(value, f"an id of {what}") for value in cast("list[object]", values)))


def check_additions(add: object) -> dict[str, int] | None:
    """What to add to which counters (CNT-2). An empty mapping is None."""
    if add is None:
        return None
    if not isinstance(add, Mapping):
        raise InvalidInput(f"add is of type {type(add).__name__}: give a dict of counter names and integers")
    checked: dict[str, int] = {}
    for name, amount in cast("Mapping[object, object]", add).items():
        if not isinstance(name, str) or not _COUNTER.fullmatch(name):
            raise InvalidInput(f"counter name {name!r}: give 1 to 64 of a-z, 0-9, _, . and -")
        if not isinstance(amount, int) or isinstance(amount, bool):
            raise InvalidInput(f"counter {name!r} is to grow by {amount!r}: give an integer")
        if not -MAX_SEQ <= amount <= MAX_SEQ:
            raise LimitExceeded(f"counter {name!r}", limit=MAX_SEQ, actual=amount)
        checked[name] = amount
    if len(checked) > MAX_COUNTERS:
        raise LimitExceeded("counters of a session", limit=MAX_COUNTERS, actual=len(checked))
    return checked or None


def check_schema_version(value: object) -> int | None:
    return None if value is None else check_count(value, "schema_version")


def check_object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput(f"{what} is of type {type(value).__name__}: give a dict")
    return value  # pyright: ignore[reportUnknownVariableType]
