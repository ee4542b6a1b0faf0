"""Comparing what an adapter returned with what the model expects, although the model can't know chosen values.

The model puts an `Unknown` where a value is the adapter's choice. The first answer that shows the value settles it,
under the conditions of the contract. From then on it has to stay what it was.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
from agentkeep import Appended

_ROUNDING = timedelta(milliseconds=1)
"""Servers may store the time of expiry in milliseconds."""


class Unknown:
    """A value that the adapter chooses: an id, a cursor."""

    def __init__(self) -> None:
        self.value: Any = None

    def settle(self, value: Any) -> None:
        """Raises AssertionError if the value is impossible, or is no longer what it was."""
        if self.value is None:
            self.check(value)
            self.value = value
        assert value == self.value, f"was {self.value}"

    def check(self, value: Any) -> None:
        assert isinstance(value, str), "is not a string"


class FirstVersion(Unknown):
    """The version that a life begins with: none that an earlier life of the id had (SES-2)."""

    def __init__(self, given: set[int]) -> None:
        super().__init__()
        self._given = given

    def check(self, value: Any) -> None:
        assert type(value) is int, "is not an int"
        assert value > 0, "is not positive"
        assert value not in self._given, "was the version of an earlier life of this id"
        self._given.add(value)


class NextVersion(Unknown):
    """The version after another one."""

    def __init__(self, before: Any, given: set[int]) -> None:
        super().__init__()
        self._before = before
        self._given = given

    def check(self, value: Any) -> None:
        before = value_of(self._before)
        assert before is None or value == before + 1, f"should follow {before}"
        self._given.add(value)


class Instant(Unknown):
    """A time of the server's clock: later than another one, if that is given."""

    def __init__(self, later_than: Any = None) -> None:
        super().__init__()
        self._later_than = later_than

    def check(self, value: Any) -> None:
        _check_time(value)
        before = value_of(self._later_than)
        assert before is None or value > before, f"should be later than {before}"


class SameOrLater(Instant):
    """The time of a call that may count as a write or not, because it changed nothing."""

    def check(self, value: Any) -> None:
        _check_time(value)
        before = value_of(self._later_than)
        assert before is None or value >= before, f"went back from {before}"


class Computed(Unknown):
    """A time that follows from others, which may be unknown until an answer shows them."""

    def __init__(self, compute: Callable[[], datetime | None]) -> None:
        super().__init__()
        self._compute = compute

    def expected(self) -> datetime | None:
        return self._compute()

    def check(self, value: Any) -> None:
        _check_time(value)
        expected = self._compute()
        assert expected is None or abs(value - expected) <= _ROUNDING, f"should be {expected}"


def _check_time(value: Any) -> None:
    assert isinstance(value, datetime), "is not a time"
    assert value.utcoffset() == timedelta(0), "is not in UTC"


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
    elif (fields := _fields_of(actual)) is not None:
        assert isinstance(expected, dict), f"{where} is {actual!r}, expected {expected!r}"
        row = cast("dict[str, Any]", expected)
        for name, value in fields.items():
            in_order = _sorted if name == "counters" else _as_is
            agree(in_order(row[name]), in_order(value), f"{where}.{name}")
    elif isinstance(expected, list) and _has_structs(actual):
        wanted, found = cast("list[Any]", expected), cast("list[Any]", actual)
        assert len(found) == len(wanted), f"{where} has {len(found)} rows, expected {len(wanted)}: {found!r}"
        for index, pair in enumerate(zip(wanted, found, strict=True)):
            agree(*pair, f"{where}[{index}]")
    elif isinstance(expected, dict) and _has_structs(_values_of(actual)):
        wanted, found = cast("dict[str, Any]", expected), cast("dict[str, Any]", actual)
        assert list(found) == list(wanted), f"{where} has the keys {list(found)!r}, expected {list(wanted)!r}"
        for key in wanted:
            agree(wanted[key], found[key], f"{where}[{key!r}]")
    else:
        same = msgspec.json.encode(expected, enc_hook=repr) == msgspec.json.encode(actual)
        assert same, f"{where} is {actual!r}, expected {expected!r}"


def _sorted(counters: dict[str, int]) -> dict[str, int]:
    """The order of counters is not promised."""
    return dict(sorted(counters.items()))


def _as_is(value: Any) -> Any:
    return value


def _fields_of(value: Any) -> dict[str, Any] | None:
    """The fields of a struct, an `Appended` or a named tuple; None for any other value."""
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, Appended):
        fields = {"version": value.version, "last_seq": value.last_seq, "new": value.new}
        return {"messages": list(value), **fields}
    as_dict: Callable[[], dict[str, Any]] | None = getattr(value, "_asdict", None)
    return None if as_dict is None else as_dict()


def _values_of(value: Any) -> list[Any]:
    return list(cast("dict[str, Any]", value).values()) if isinstance(value, dict) else []


def _has_structs(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, msgspec.Struct) for item in cast("list[Any]", value))
