"""Comparing what an adapter returned with what the model expects, where the model can't know ids and times beforehand.

The model puts an `Unknown` where a value is the adapter's choice. The first answer that shows the value settles it,
under the conditions that the contract sets; from then on it has to stay what it was.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec

_ROUNDING = timedelta(seconds=1)
"""Servers may keep expiry in milliseconds, and read their clock more than once in a call."""


class Unknown:
    """A value that the adapter chooses: an id, a cursor."""

    def __init__(self) -> None:
        self.value: Any = None

    def settle(self, value: Any) -> None:
        """Raises AssertionError where the value can't be, or is no longer what it was."""
        if self.value is None:
            self.check(value)
            self.value = value
        assert value == self.value, f"was {self.value}"

    def check(self, value: Any) -> None:
        assert isinstance(value, str), "is no string"


class Instant(Unknown):
    """A time that the server's clock gives, not earlier than another one."""

    def __init__(self, not_before: Any = None) -> None:
        super().__init__()
        self._not_before = not_before

    def check(self, value: Any) -> None:
        assert isinstance(value, datetime), "is no time"
        assert value.tzinfo is UTC or value.utcoffset() == timedelta(0), "is not in UTC"
        earliest = value_of(self._not_before)
        assert earliest is None or value >= earliest, f"went back from {earliest}"


class Expiry(Instant):
    """`ttl` after another instant; where there was a later expiry, that one (TTL-1: activity never shortens a life)."""

    def __init__(self, base: Any, ttl: timedelta, later: Any = None) -> None:
        super().__init__()
        self._base = base
        self._ttl = ttl
        self._later = later

    def check(self, value: Any) -> None:
        super().check(value)
        expected = value_of(self._base) + self._ttl
        later = value_of(self._later)
        if later is not None:
            expected = max(expected, later)
        assert abs(value - expected) <= _ROUNDING, f"should be {expected}"


def value_of(value: Any) -> Any:
    """The value itself; of an `Unknown` what it was settled to."""
    return value.value if isinstance(value, Unknown) else value


def agree(expected: Any, actual: Any, where: str = "result") -> None:
    """Raises AssertionError naming the first difference. `1` is not `1.0`, and the order of keys counts (FID-1).

    A row (a dict) agrees with a struct of the same fields, a list of rows with a list of structs.
    """
    if isinstance(expected, Unknown):
        try:
            expected.settle(actual)
        except AssertionError as problem:
            raise AssertionError(f"{where} is {actual!r} and {problem}") from None
    elif isinstance(actual, msgspec.Struct):
        assert isinstance(expected, dict), f"{where} is {actual!r}, expected {expected!r}"
        for name in actual.__struct_fields__:
            agree(expected[name], getattr(actual, name), f"{where}.{name}")
    elif isinstance(expected, list) and _has_structs(actual):
        wanted, found = cast("list[Any]", expected), cast("list[Any]", actual)
        assert len(found) == len(wanted), f"{where} has {len(found)} rows, expected {len(wanted)}: {found!r}"
        for index, pair in enumerate(zip(wanted, found, strict=True)):
            agree(*pair, f"{where}[{index}]")
    else:
        same = msgspec.json.encode(expected, enc_hook=repr) == msgspec.json.encode(actual)
        assert same, f"{where} is {actual!r}, expected {expected!r}"


def _has_structs(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, msgspec.Struct) for item in cast("list[Any]", value))
